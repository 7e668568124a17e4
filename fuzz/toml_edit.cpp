// links: toml base
#include <cstddef>
#include <cstdint>
#include <string>

#include "toml/editor.hpp"
#include "toml/toml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto editor = toml::TextEditor::open(text, "fuzz");
  if (!editor) return 0;
  (void)editor->set({}, "concurrent", "4");
  (void)editor->set({{"runners", 0}}, "token", "\"t\"");
  (void)editor->remove_element("runners", 0);
  (void)editor->append("[[runners]]\n  name = \"x\"\n");
  // Whatever an edit did, the text is still a document.
  if (!toml::parse_document(editor->text())) __builtin_trap();
  return 0;
}
