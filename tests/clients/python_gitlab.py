"""What the scripts with python-gitlab share. Arguments: URL, administrator's token."""

import datetime
import sys

import gitlab

url, token = sys.argv[1:]
root = gitlab.Gitlab(url, private_token=token)
root.auth()
in_a_month = (datetime.date.today() + datetime.timedelta(days=30)).isoformat()


def fails_with(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except gitlab.exceptions.GitlabError as error:
        assert error.response_code == code, (error.response_code, error)
        return str(error.error_message)
    raise AssertionError(f"{call} was to fail with {code}")
