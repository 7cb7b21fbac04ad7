import { type Facts, readme } from "./project.ts";

const client = `"""Calls the API as this agent, with the standard library alone."""

import base64
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

RENEW_BEFORE_S = 60
TIMEOUT_S = 30


class AgentIdpError(Exception):
    """What the server refused, or why it could not be asked (then http_status is 0)."""

    def __init__(self, code, http_status, details):
        super().__init__(f"{code} (HTTP {http_status})")
        self.code = code
        self.http_status = http_status
        self.details = details

    def to_dict(self):
        return {"code": self.code, "httpStatus": self.http_status, "details": self.details}


def load_env_file(path=".env"):
    """Reads NAME=value lines; what the environment has already wins."""
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                name, separator, value = line.strip().partition("=")
                if separator and not name.startswith("#"):
                    os.environ.setdefault(name.strip(), value.strip().strip('"'))
    except FileNotFoundError:
        pass


def _setting(name):
    value = os.environ.get(name)
    if not value:
        raise AgentIdpError("settings_missing", 0, f"Set {name}; see .env.example.")
    return value


class AgentIdpClient:
    """Keeps its token in memory and renews it a minute before it ends."""

    def __init__(self, api_url, client_id, client_secret, scope):
        self._api_url = api_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = scope
        self._token = None
        self._renew_at = 0.0
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls):
        return cls(
            _setting("AGENTIDP_API_URL"),
            _setting("AGENTIDP_CLIENT_ID"),
            _setting("AGENTIDP_CLIENT_SECRET"),
            _setting("AGENTIDP_SCOPE"),
        )

    def agent_info(self):
        """What the server knows of this agent."""
        return self.call("GET", "/agent-info")

    def call(self, method, path, body=None):
        """One call with the agent's token; once more with a new one if the server takes the old one no longer."""
        token = self.access_token()
        try:
            return self._call_once(token, method, path, body)
        except AgentIdpError as error:
            if error.http_status != 401:
                raise
        self._forget(token)
        return self._call_once(self.access_token(), method, path, body)

    def _call_once(self, token, method, path, body):
        headers = {"Authorization": f"Bearer {token}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode("utf-8")
        return _send(method, self._api_url + path, headers, data)

    def access_token(self):
        with self._lock:
            if self._token is None or time.monotonic() >= self._renew_at:
                self._ask()
            return self._token

    def _forget(self, token):
        with self._lock:
            if self._token == token:
                self._token = None

    def _ask(self):
        asked_at = time.monotonic()
        pair = f"{self._client_id}:{self._client_secret}".encode("utf-8")
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode("ascii"),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = {"grant_type": "client_credentials", "scope": self._scope}
        data = urllib.parse.urlencode(form).encode("ascii")
        answer = _send("POST", self._api_url + "/api/v1/token", headers, data)
        token, life_s = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(life_s, (int, float)):
            raise AgentIdpError("invalid_answer", 200, "The token endpoint answered without a token.")
        self._token = token
        self._renew_at = asked_at + life_s - RENEW_BEFORE_S


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the secret elsewhere."""

    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _send(method, url, headers, data):
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as response:
            return _object_in(response.read())
    except urllib.error.HTTPError as error:
        answer = _object_in(error.read())
        code = answer.get("code") or answer.get("error") or "http_error"
        raise AgentIdpError(code, error.code, answer) from None
    except (urllib.error.URLError, OSError) as error:
        raise AgentIdpError("no_answer", 0, str(error)) from None


def _object_in(content):
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
`;

const main = `import json
import sys

from agentidp import AgentIdpClient, AgentIdpError, load_env_file


def main():
    load_env_file()
    try:
        print(json.dumps(AgentIdpClient.from_environment().agent_info(), indent=2))
    except AgentIdpError as error:
        print(json.dumps(error.to_dict()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
`;

export const python = (facts: Facts): Record<string, string> => ({
  // A JSON text is a TOML basic string too, as long as it has no control characters, and the title has none.
  "pyproject.toml": `[project]
name = ${JSON.stringify(facts.slug)}
version = "0.1.0"
description = ${JSON.stringify(facts.title)}
requires-python = ">=3.9"
dependencies = []
`,
  ".gitignore": "__pycache__/\n.venv/\n.env\n",
  "src/agentidp.py": client,
  "src/main.py": main,
  "README.md": readme(facts, {
    needs: "Python 3.9 or later; nothing to install.",
    run: ["python3 src/main.py"],
    where: "`src/agentidp.py` is the client, `src/main.py` what your agent does.",
  }),
});
