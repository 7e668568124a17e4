"""The OpenAPI document as a judge: is this answer one that it describes? What may be sent to this endpoint?"""

import json
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Document:
    def __init__(self, text):
        self.value = json.loads(text)
        self.operations = []
        for path, item in self.value["paths"].items():
            # {path} at the end stands for the rest, slashes included.
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path).replace(r"\{path\}", ".+")))
            for method, operation in item.items():
                self.operations.append((method.upper(), path, pattern, operation))

    def find(self, method, path):
        """The operation of a real path; literal segments win over parameters, both over the rest of a path."""
        found = [entry for entry in self.operations if entry[0] == method and entry[2].fullmatch(path)]
        assert found, f"{method} {path} is not in the document"
        return min(found, key=lambda entry: ("{path}" in entry[1], -len(re.findall(r"/[^{/]+", entry[1]))))[3]

    def complaints(self, method, path, answer):
        operation = self.find(method, path)
        documented = operation["responses"].get(str(answer.status))
        if documented is None:
            return [f"status {answer.status} is not documented"]
        content = documented.get("content")
        if content is None:
            return ["a body where none is documented"] if answer.body else []
        if "application/json" not in content:
            return []
        if not answer.headers.get("Content-Type", "").startswith("application/"):
            return [f"Content-Type {answer.headers.get('Content-Type')}"]
        try:
            value = json.loads(answer.body)
        except ValueError:
            return ["the body is not JSON"]
        return self.invalid(value, content["application/json"]["schema"], "")

    def invalid(self, value, schema, at):
        if "$ref" in schema:
            return self.invalid(value, self.value["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], at)
        if value is None and schema.get("nullable"):
            return []
        if "allOf" in schema:
            return [text for part in schema["allOf"] for text in self.invalid(value, part, at)]
        for key in ("anyOf", "oneOf"):
            if key in schema and all(self.invalid(value, part, at) for part in schema[key]):
                return [f"{at or 'the body'} fits none of {key}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{at}: {value!r} is none of {schema['enum']}"]
        check = getattr(self, "invalid_" + schema.get("type", "any"))
        return check(value, schema, at)

    def invalid_any(self, value, schema, at):
        return []

    def invalid_boolean(self, value, schema, at):
        return [] if isinstance(value, bool) else [f"{at}: {value!r} is no boolean"]

    def invalid_integer(self, value, schema, at):
        return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{at}: {value!r} is no integer"]

    def invalid_number(self, value, schema, at):
        return [] if isinstance(value, (int, float)) and not isinstance(value, bool) else [f"{at}: {value!r} is no number"]

    def invalid_string(self, value, schema, at):
        if not isinstance(value, str):
            return [f"{at}: {value!r} is no string"]
        wanted = {"date-time": TIME, "date": DATE}.get(schema.get("format"))
        return [] if wanted is None or wanted.fullmatch(value) else [f"{at}: {value!r} is no {schema['format']}"]

    def invalid_array(self, value, schema, at):
        if not isinstance(value, list):
            return [f"{at}: {value!r} is no array"]
        return [text for i, item in enumerate(value) for text in self.invalid(item, schema["items"], f"{at}[{i}]")]

    def invalid_object(self, value, schema, at):
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no object"]
        out = [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            if name in schema.get("properties", {}):
                out += self.invalid(member, schema["properties"][name], f"{at}.{name}")
            elif schema.get("additionalProperties") is False:
                out.append(f"{at}.{name} is not documented")
        return out


def fields_of(operation):
    """name → (place, schema, required) of what may be sent, path parameters aside."""
    out = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            out[parameter["name"]] = ("query", parameter["schema"], parameter["required"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for name, schema in body.get("properties", {}).items():
        out[name] = ("body", schema, name in body.get("required", []))
    return out


def wrong_values(schema):
    """What no server may take for a value of this kind."""
    if "enum" in schema:
        return ["no-such-word"]
    return {"integer": ["many", "1.5"], "boolean": ["perhaps"]}.get(schema.get("type"), []) + (
        ["2026-13-01", "soon"] if schema.get("format") == "date" else [])


def right_values(schema):
    if "enum" in schema:
        return [word for word in schema["enum"] if word is not None]
    return {"boolean": ["true", "false", "1", "off"], "integer": ["7200"]}.get(schema.get("type"), [])
