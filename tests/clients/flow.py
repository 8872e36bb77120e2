"""The whole way of a person through Larder, with the client that openapi-python-client makes of the document.

    PYTHONPATH=<folder of larder_client> python flow.py ADDRESS
"""

import sys
from http import HTTPStatus
from typing import TypeVar

from larder_client import AuthenticatedClient, Client
from larder_client.api.accounts import get_account, log_in, log_out, refresh_tokens, sign_up
from larder_client.api.api_tokens import create_api_token, revoke_api_token
from larder_client.api.messages import (
    append_message,
    change_message,
    delete_message,
    export_favourites,
    list_favourites,
    list_messages,
    mark_favourite,
    restore_message,
    take_turn,
)
from larder_client.api.prompts import change_prompt, create_prompt, list_prompts
from larder_client.api.search import search
from larder_client.api.sessions import (
    change_session,
    create_session,
    delete_session,
    get_session,
    list_sessions,
    restore_session,
)
from larder_client.api.summaries import get_summary, put_summary
from larder_client.models import (
    ApiTokenFields,
    LogIn,
    LogOut,
    MessagePatch,
    NewMessage,
    Order,
    Problem,
    ProblemCode,
    PromptDraft,
    PromptPatch,
    Refresh,
    Scope,
    SearchType,
    SenderRole,
    SessionFields,
    SessionPatch,
    SignUp,
    SummaryDraft,
    Turn,
)
from larder_client.types import Response

T = TypeVar("T")
ADDRESS = sys.argv[1]
NAME, PASSWORD = "pia", "correct horse of pia"


def good(response: Response[T | Problem], status: int = 200) -> T:
    """What was answered, which must have this status."""
    assert response.status_code == status, response
    assert not isinstance(response.parsed, Problem), response.parsed
    return response.parsed


def refused(response: Response, status: int, code: ProblemCode) -> None:
    assert response.status_code == status, response
    assert isinstance(response.parsed, Problem) and response.parsed.code == code, response.parsed


def as_bearer(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=ADDRESS, token=token, raise_on_unexpected_status=True)


stranger = Client(base_url=ADDRESS, raise_on_unexpected_status=True)

# An account, a login, and a fresh pair of tokens.
made = good(sign_up.sync_detailed(client=stranger, body=SignUp(username=NAME, password=PASSWORD)), 201)
taken = sign_up.sync_detailed(client=stranger, body=SignUp(username=NAME.upper(), password=PASSWORD))
refused(taken, 409, ProblemCode.USERNAME_TAKEN)
wrong = log_in.sync_detailed(client=stranger, body=LogIn(login=NAME, password="not the password"))
refused(wrong, 401, ProblemCode.INVALID_CREDENTIALS)
signed_in = good(log_in.sync_detailed(client=stranger, body=LogIn(login=NAME, password=PASSWORD)))
assert signed_in.user.id == made.user.id and signed_in.user.email is None
refreshed = good(refresh_tokens.sync_detailed(client=stranger, body=Refresh(refresh_token=signed_in.refresh_token)))
pia = as_bearer(refreshed.access_token)
assert good(get_account.sync_detailed(client=pia)).username == NAME

# A conversation: a session, a turn in it, one more message, and a turn that makes a session.
session = good(create_session.sync_detailed(client=pia, body=SessionFields(name="London", tags=["travel"])), 201)
question = NewMessage(sender_role=SenderRole.USER, text="What should we see?")
answer = NewMessage(sender_role=SenderRole.ASSISTANT, text="The Tower, then Crème brûlée.")
turn = Turn(session_id=session.id, messages=[question, answer])
taken_turn = good(take_turn.sync_detailed(client=pia, body=turn, idempotency_key="turn-1"), 201)
again = take_turn.sync_detailed(client=pia, body=turn, idempotency_key="turn-1")
assert good(again, 201).messages == taken_turn.messages and again.headers["Idempotency-Replayed"] == "true"
assert [message.position for message in taken_turn.messages] == [1, 2]
third = NewMessage(sender_role=SenderRole.USER, text="And then?")
appended = good(append_message.sync_detailed(session.id, client=pia, body=third), 201)
assert appended.position == 3 and appended.reasoning is None
other = good(take_turn.sync_detailed(client=pia, body=Turn(messages=[question])), 201).session
empty = append_message.sync_detailed(session.id, client=pia, body=NewMessage(sender_role=SenderRole.USER))
refused(empty, 422, ProblemCode.EMPTY_MESSAGE)

# Lists, page by page.
page = good(list_messages.sync_detailed(session.id, client=pia, order=Order.ASC, limit=2))
assert [message.position for message in page.data] == [1, 2] and page.next_cursor
page = good(list_messages.sync_detailed(session.id, client=pia, order=Order.ASC, limit=2, cursor=page.next_cursor))
assert page.data == [appended] and page.next_cursor is None
found, cursor = [], None
while cursor is not None or not found:
    sessions = good(list_sessions.sync_detailed(client=pia, limit=1, **({"cursor": cursor} if cursor else {})))
    found += [listed.id for listed in sessions.data]
    cursor = sessions.next_cursor
assert found == [other.id, session.id]

# Changes of what was read.
read = get_session.sync_detailed(session.id, client=pia)
tag = read.headers["ETag"]
patch = SessionPatch(name="London in May", character_name=None)
changed = good(change_session.sync_detailed(session.id, client=pia, body=patch, if_match=tag))
assert changed.name == "London in May" and changed.tags == ["travel"] and changed.version == good(read).version + 1
refused(change_session.sync_detailed(session.id, client=pia, body=patch, if_match=tag), 412, ProblemCode.STALE)
unchanged = get_session.sync_detailed(session.id, client=pia, if_none_match=f'"{changed.version}"')
assert unchanged.status_code == HTTPStatus.NOT_MODIFIED
edited = good(change_message.sync_detailed(appended.id, client=pia, body=MessagePatch(text="And where do we eat?")))
assert edited.revision == 2 and edited.text == "And where do we eat?"

# Search, favourites, export.
hits = good(search.sync_detailed(client=pia, q="creme bru"))
assert [hit.message.id for hit in hits.data if hit.message] == [taken_turn.messages[1].id]
hits = good(search.sync_detailed(client=pia, q="may", type_=SearchType.SESSIONS))
assert [hit.session.id for hit in hits.data] == [session.id]
good(mark_favourite.sync_detailed(appended.id, client=pia), 204)
assert [favourite.message.id for favourite in good(list_favourites.sync_detailed(client=pia)).data] == [appended.id]
export = good(export_favourites.sync_detailed(client=pia))
assert export.version == 1 and export.data[0].message.text == edited.text

# A prompt and a summary.
prompt = good(create_prompt.sync_detailed(client=pia, body=PromptDraft(title="Guide", text="You know London.")), 201)
blind = change_prompt.sync_detailed(prompt.id, client=pia, body=PromptPatch(title="Expert"))
refused(blind, 428, ProblemCode.PRECONDITION_REQUIRED)
changed_prompt = change_prompt.sync_detailed(prompt.id, client=pia, body=PromptPatch(title="Expert"), if_match='"1"')
assert good(changed_prompt).title == "Expert"
assert good(list_prompts.sync_detailed(client=pia)).data == [changed_prompt.parsed]
digest = SummaryDraft(text="A trip.", key_topics=["travel"], entities=[], model_name="large", config_version=1)
assert good(put_summary.sync_detailed(session.id, client=pia, body=digest), 201).stale is False
good(append_message.sync_detailed(session.id, client=pia, body=third), 201)
assert good(get_summary.sync_detailed(session.id, client=pia)).stale is True

# A token for a program, which may read and no more.
new_token = ApiTokenFields(name="Reader", scopes=[Scope.CHATREAD])
token = good(create_api_token.sync_detailed(client=pia, body=new_token), 201)
assert token.token is not None
program = as_bearer(token.token)
assert len(good(list_sessions.sync_detailed(client=program)).data) == 2
written = create_session.sync_detailed(client=program, body=SessionFields())
refused(written, 403, ProblemCode.INSUFFICIENT_SCOPE)
good(revoke_api_token.sync_detailed(token.id, client=pia), 204)
refused(list_sessions.sync_detailed(client=program), 401, ProblemCode.TOKEN_INVALID)

# To the trash and back.
good(delete_message.sync_detailed(appended.id, client=pia), 204)
refused(delete_message.sync_detailed(appended.id, client=pia), 404, ProblemCode.NOT_FOUND)
assert good(restore_message.sync_detailed(appended.id, client=pia)).deleted_at is None
good(delete_session.sync_detailed(session.id, client=pia), 204)
refused(get_session.sync_detailed(session.id, client=pia), 404, ProblemCode.NOT_FOUND)
assert good(restore_session.sync_detailed(session.id, client=pia)).message_count == 4

# The end of the login.
good(log_out.sync_detailed(client=pia, body=LogOut(all_=False)), 204)
refused(get_account.sync_detailed(client=pia), 401, ProblemCode.TOKEN_INVALID)
print("The Python client went the whole way.")
