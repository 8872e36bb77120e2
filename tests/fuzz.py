"""Requests that nobody wrote by hand: Schemathesis makes them of the OpenAPI document of a running Larder and judges the answers.

    python tests/fuzz.py ADDRESS SEED SHARE [options of `st run`]

SHARE is how many of the systematic requests are sent, from 0 to 1; the random ones are as many as the options say.

What it makes by itself names nothing that exists. So each request gets, most of the time, a caller and things of its own, in a
state in which it can succeed; and every operation must have succeeded at least once at the end. Larder must be new, let anybody sign
up, and know the issuer of the environment variables below.
"""

import base64
import collections
import hashlib
import hmac
import itertools
import json
import os
import random
import re
import sys
from functools import cached_property

import requests
import schemathesis
from schemathesis.cli import schemathesis as command_line
from schemathesis.core.parameters import ParameterLocation as In
from schemathesis.generation.meta import CoverageScenario, TestPhase

ADDRESS, SEED, SHARE = sys.argv[1:4]
ISSUER = os.environ["LARDER_FUZZ_ISSUER"]
SECRET = os.environ["LARDER_FUZZ_SECRET"]

# Whether answers are what the document says. Whether a request had to be refused is not asked: most rules of Larder are more than a
# schema can say, and each has a case of its own elsewhere.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]
ACCOUNTS = "/api/v1/auth/"
ADMINISTRATION = tuple(ACCOUNTS + name for name in ("users", "invitations", "erasures"))

chance = random.Random(int(SEED))
numbers = itertools.count(1)
client = requests.Session()
client.trust_env = False
answered = collections.defaultdict(collections.Counter)


class Person:
    """An account that is signed in."""

    def __init__(self):
        self.number = next(numbers)
        self.username = f"person-{self.number}"
        self.password = f"correct horse of {self.username}"
        self.email = f"{self.username}@example.com"
        body = {"username": self.username, "password": self.password, "email": self.email}
        made = self.send("POST", "/auth/sign-up", body)
        self.id = made["user"]["id"]
        self.token = made["access_token"]
        self.refresh_token = made["refresh_token"]

    def send(self, method, path, body=None):
        headers = {"If-Match": "*"} if method == "DELETE" else {}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        response = client.request(method, f"{ADDRESS}/api/v1{path}", json=body, headers=headers, timeout=60)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def external_token(self):
        """A token of the issuer that Larder knows, for somebody whom it does not know yet."""
        claims = {"iss": ISSUER, "aud": "larder", "sub": f"subject-{next(numbers)}", "iat": 1, "exp": 9_999_999_999}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims)]
        text = b".".join(part.rstrip(b"=") for part in parts)
        signature = hmac.digest(SECRET.encode(), text, hashlib.sha256)
        return b".".join([text, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


class Things:
    """What a request can name, made when it does and named as the document names it."""

    def __init__(self, owner, method, path):
        self.owner, self.method, self.path = owner, method, path
        self.is_in_trash = path.endswith("/restore")

    def __getitem__(self, name):
        return WORDS[name] if name in WORDS else getattr(self, name)

    def __contains__(self, name):
        return name in NAMED

    @cached_property
    def conversation(self):
        made = self.owner.send("POST", "/chat/turns", CONVERSATION)
        session, message = made["session"]["id"], made["messages"][0]["id"]
        if "/revisions" in self.path:
            self.owner.send("PATCH", f"/chat/messages/{message}", {"text": "What first?"})
        if "/summary" in self.path and self.method != "PUT":
            self.owner.send("PUT", f"/chat/sessions/{session}/summary", SUMMARY)
        if self.is_in_trash:
            self.owner.send("DELETE", f"/chat/messages/{message}" if "message" in self.path else f"/chat/sessions/{session}")
        return made

    @property
    def session_id(self):
        return self.conversation["session"]["id"]

    @property
    def message_id(self):
        messages = self.conversation["messages"]
        return messages[1 if self.path.endswith("/chunks") else 0]["id"]

    @property
    def revision(self):
        return 1

    @cached_property
    def prompt_id(self):
        prompt = self.owner.send("POST", "/chat/prompts", PROMPT)["id"]
        if self.is_in_trash:
            self.owner.send("DELETE", f"/chat/prompts/{prompt}")
        return prompt

    @cached_property
    def user_id(self):
        return Person().id

    @property
    def login_id(self):
        payload = self.owner.token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]

    @cached_property
    def token_id(self):
        return self.owner.send("POST", "/auth/api-tokens", {"name": "Reader", "scopes": ["chat:read"]})["id"]

    @cached_property
    def identity_id(self):
        return self.owner.send("POST", "/auth/identities", {"token": self.owner.external_token()})["id"]

    @cached_property
    def invitation_id(self):
        return admin.send("POST", "/auth/invitations", {})["id"]

    @cached_property
    def erasure_id(self):
        leaver = Person()
        request = {"current_password": leaver.password, "confirm": leaver.username}
        return leaver.send("POST", "/auth/account/erasure", request)["erasure_id"]

    # What only bodies name.

    @property
    def ids(self):
        return [self.message_id]

    message_ids = ids

    @property
    def promptId(self):
        return self.prompt_id

    @property
    def username(self):
        names_somebody_new = self.path.endswith(("/sign-up", "/account"))
        return f"somebody-{next(numbers)}" if names_somebody_new else self.owner.username

    @property
    def email(self):
        return f"somebody-{next(numbers)}@example.com"

    @property
    def login(self):
        return self.owner.username

    confirm = login

    @property
    def password(self):
        return self.owner.password

    current_password = password

    @property
    def refresh_token(self):
        return self.owner.refresh_token

    @property
    def token(self):
        return self.owner.external_token()

    def fill(self, body):
        """The body with the fields replaced that a request succeeds with only if they are right."""
        if isinstance(body, list):
            return [self.fill(item) for item in body]
        if not isinstance(body, dict):
            return body
        return {key: self[key] if key in self else self.fill(value) for key, value in body.items()}


WORDS = {"from": "travel", "new_password": "staple of another horse", "offset": len("The "), "reasoning_offset": 0}
NAMED = {name for name, value in vars(Things).items() if isinstance(value, (property, cached_property))} | WORDS.keys()
CONVERSATION = {
    "session": {"name": "Trip to London", "tags": ["travel"], "character_name": "guide"},
    "messages": [
        {
            "sender_role": "user",
            "text": "What should we see in London?",
            "favourite": True,
            "attachments": [{"kind": "file", "url": "https://example.com/plan.pdf"}],
        },
        {"sender_role": "assistant", "text": "The ", "status": "partial"},
    ],
}
SUMMARY = {"text": "A trip.", "key_topics": ["travel"], "entities": [], "model_name": "large", "config_version": 1}
PROMPT = {"title": "Greeting", "text": "Say hello."}


def caller(case, usually):
    """Who sends a request. What ends logins or fills up an account is sent by one that nothing else depends on."""
    global writer
    path = case.operation.path
    if path.startswith(ADMINISTRATION) and usually(0.95):
        return admin
    if case.method == "GET":
        return reader
    if path.startswith(ACCOUNTS):
        return Person()
    if chance.random() < 0.02:
        writer = Person()
    return writer


def has_succeeded(label):
    return any(200 <= status < 300 for status in answered[label])


@schemathesis.hook
def filter_case(context, case):
    meta = case.meta
    is_plain = meta.phase.name != TestPhase.COVERAGE or meta.phase.data.scenario == CoverageScenario.DEFAULT_POSITIVE_TEST
    return is_plain or chance.random() < float(SHARE)


@schemathesis.hook
def before_call(context, case, kwargs):
    meta, path = case.meta, case.operation.path
    # Until the operation succeeded, as much as possible is done for that.
    is_helped = meta.phase.name == TestPhase.EXAMPLES or not has_succeeded(case.operation.label)

    def usually(share):
        return is_helped or chance.random() < share

    person = caller(case, usually)
    things = reader_things if person is reader else Things(person, case.method, path)
    if usually(0.97):
        case.headers["Authorization"] = f"Bearer {person.token}"
    if not meta.is_negative_at(In.PATH) and usually(0.9):
        case.path_parameters |= {name: things[name] for name in re.findall(r"{(\w+)}", path) if name in things}
    if not meta.is_negative_at(In.QUERY):
        for name in {"cursor", "group_id"} & case.query.keys():
            if usually(0.9):
                del case.query[name]
        for name, value in {"q": "lond", "tag": "travel", "character": "guide"}.items():
            if name in case.query and usually(0.5):
                case.query[name] = value
        if "session_id" in case.query and usually(0.9):
            case.query["session_id"] = things.session_id
    if not meta.is_negative_at(In.HEADER):
        names = {parameter.name for parameter in case.operation.headers}
        if "If-Match" in names and usually(0.8):
            case.headers["If-Match"] = "*" if is_helped else chance.choice(["*", '"1"'])
        if "If-None-Match" in case.headers and case.method == "PUT" and usually(0.8):
            del case.headers["If-None-Match"]
    if not meta.is_negative_at(In.BODY) and usually(0.8):
        case.body = things.fill(case.body)
        if isinstance(case.body, dict) and case.method in ("PATCH", "PUT"):
            # It may be sent, but can't change.
            case.body.pop("id", None)
    if path.endswith("/tags/rename") and usually(0.9):
        things.conversation


@schemathesis.hook
def after_call(context, case, response):
    if case.method == case.operation.method.upper():
        answered[case.operation.label][response.status_code] += 1


admin, reader, writer = Person(), Person(), Person()
reader_things = Things(reader, "GET", "/revisions /summary")
for name in ("session_id", "prompt_id", "token_id", "identity_id"):
    reader_things[name]

options = [f"--seed={SEED}", f"--checks={','.join(CHECKS)}", "--warnings=off", "--no-color", *sys.argv[4:]]
try:
    failed = command_line.main(["run", f"{ADDRESS}/openapi.json", *options], standalone_mode=False)
except SystemExit as end:
    failed = end.code

statuses = sum(answered.values(), collections.Counter())
print("Answers:", ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())))
never = [label for label in answered if not has_succeeded(label)]
for label in never:
    print(f"Never succeeded: {label}: {dict(answered[label])}")
sys.exit(1 if failed or never or not answered else 0)
