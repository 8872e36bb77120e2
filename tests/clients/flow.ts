// The whole way of a person through Larder, with openapi-fetch and the types that openapi-typescript makes of the document.
//
//     node flow.js ADDRESS

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Answer<T> = { data?: T; error?: unknown; response: Response };

const address = process.argv[2];
const [name, password] = ["tess", "correct horse of tess"];

/** What was answered, which must have this status. */
function good<T>(answer: Answer<T>, status = 200): T {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
  return answer.data as T;
}

function refused(answer: Answer<unknown>, status: number, code: Schemas["ProblemCode"]): void {
  assert.equal(answer.response.status, status, JSON.stringify(answer));
  assert.equal((answer.error as Schemas["Problem"]).code, code);
}

function asBearer(token: string) {
  return createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
}

const stranger = createClient<paths>({ baseUrl: address });

// An account, a login, and a fresh pair of tokens.
const made = good(await stranger.POST("/api/v1/auth/sign-up", { body: { username: name, password } }), 201);
const sameName = await stranger.POST("/api/v1/auth/sign-up", { body: { username: name.toUpperCase(), password } });
refused(sameName, 409, "username_taken");
const wrong = await stranger.POST("/api/v1/auth/login", { body: { login: name, password: "not the password" } });
refused(wrong, 401, "invalid_credentials");
const signedIn = good(await stranger.POST("/api/v1/auth/login", { body: { login: name, password } }));
assert.equal(signedIn.user.id, made.user.id);
assert.equal(signedIn.user.email, null);
const { refresh_token } = signedIn;
const refreshed = good(await stranger.POST("/api/v1/auth/refresh", { body: { refresh_token } }));
const tess = asBearer(refreshed.access_token);
assert.equal(good(await tess.GET("/api/v1/auth/account")).username, name);

// A conversation: a session, a turn in it, one more message, and a turn that makes a session.
const session = good(await tess.POST("/api/v1/chat/sessions", { body: { name: "London", tags: ["travel"] } }), 201);
const question: Schemas["NewMessage"] = { sender_role: "user", text: "What should we see?" };
const reply: Schemas["NewMessage"] = { sender_role: "assistant", text: "The Tower, then Crème brûlée." };
const turn = {
  params: { header: { "Idempotency-Key": "turn-1" } },
  body: { session_id: session.id, messages: [question, reply] },
};
const taken = good(await tess.POST("/api/v1/chat/turns", turn), 201);
const again = await tess.POST("/api/v1/chat/turns", turn);
assert.deepEqual(good(again, 201), taken);
assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
assert.deepEqual(taken.messages.map((message) => message.position), [1, 2]);
const inSession = { path: { session_id: session.id } };
const third: Schemas["NewMessage"] = { sender_role: "user", text: "And then?" };
const messages = "/api/v1/chat/sessions/{session_id}/messages";
const appended = good(await tess.POST(messages, { params: inSession, body: third }), 201);
assert.equal(appended.position, 3);
assert.equal(appended.reasoning, null);
const other = good(await tess.POST("/api/v1/chat/turns", { body: { messages: [question] } }), 201).session;
const empty = await tess.POST(messages, { params: inSession, body: { sender_role: "user" } });
refused(empty, 422, "empty_message");

// Lists, page by page.
const first = good(await tess.GET(messages, { params: { ...inSession, query: { order: "asc", limit: 2 } } }));
assert.deepEqual(first.data, taken.messages);
const cursor = first.next_cursor ?? undefined;
const second = good(await tess.GET(messages, { params: { ...inSession, query: { order: "asc", limit: 2, cursor } } }));
assert.deepEqual(second, { data: [appended], next_cursor: null });
const found: string[] = [];
let next: string | undefined;
do {
  const page = good(await tess.GET("/api/v1/chat/sessions", { params: { query: { limit: 1, cursor: next } } }));
  found.push(...page.data.map((listed) => listed.id));
  next = page.next_cursor ?? undefined;
} while (next);
assert.deepEqual(found, [other.id, session.id]);

// Changes of what was read.
const sessionPath = "/api/v1/chat/sessions/{session_id}";
const read = await tess.GET(sessionPath, { params: inSession });
const tag = read.response.headers.get("ETag") ?? undefined;
const change = {
  params: { ...inSession, header: { "If-Match": tag } },
  body: { name: "London in May", character_name: null },
};
const changed = good(await tess.PATCH(sessionPath, change));
assert.equal(changed.name, "London in May");
assert.deepEqual(changed.tags, ["travel"]);
assert.equal(changed.version, good(read).version + 1);
refused(await tess.PATCH(sessionPath, change), 412, "stale");
const known = { ...inSession, header: { "If-None-Match": `"${changed.version}"` } };
assert.equal((await tess.GET(sessionPath, { params: known })).response.status, 304);
const inMessage = { path: { message_id: appended.id } };
const messagePath = "/api/v1/chat/messages/{message_id}";
const edited = good(await tess.PATCH(messagePath, { params: inMessage, body: { text: "And where do we eat?" } }));
assert.equal(edited.revision, 2);

// Search, favourites, export.
const hits = good(await tess.GET("/api/v1/chat/search", { params: { query: { q: "creme bru" } } }));
assert.deepEqual(hits.data.map((hit) => hit.message?.id), [taken.messages[1]?.id]);
const named = good(await tess.GET("/api/v1/chat/search", { params: { query: { q: "may", type: "sessions" } } }));
assert.deepEqual(named.data.map((hit) => hit.session.id), [session.id]);
good(await tess.PUT("/api/v1/chat/messages/{message_id}/favourite", { params: inMessage }), 204);
const favourites = good(await tess.GET("/api/v1/chat/favourites"));
assert.deepEqual(favourites.data.map((favourite) => favourite.message.id), [appended.id]);
const exported = good(await tess.GET("/api/v1/chat/favourites/export"));
assert.equal(typeof exported === "object" && exported.data[0]?.message.text, edited.text);
const asMarkdown = { params: { query: { format: "markdown" } }, parseAs: "text" } as const;
const markdown: unknown = good(await tess.GET("/api/v1/chat/favourites/export", asMarkdown));
assert.match(String(markdown), /^# Favourite messages\n/);

// A prompt and a summary.
const guide = { title: "Guide", text: "You know London." };
const prompt = good(await tess.POST("/api/v1/chat/prompts", { body: guide }), 201);
const inPrompt = { path: { prompt_id: prompt.id } };
const promptPath = "/api/v1/chat/prompts/{prompt_id}";
const expert = { title: "Expert" };
refused(await tess.PATCH(promptPath, { params: inPrompt, body: expert }), 428, "precondition_required");
const current = { ...inPrompt, header: { "If-Match": '"1"' } };
const changedPrompt = good(await tess.PATCH(promptPath, { params: current, body: expert }));
assert.deepEqual(good(await tess.GET("/api/v1/chat/prompts")).data, [changedPrompt]);
const digest = { text: "A trip.", key_topics: ["travel"], entities: [], model_name: "large", config_version: 1 };
const summaryPath = "/api/v1/chat/sessions/{session_id}/summary";
assert.equal(good(await tess.PUT(summaryPath, { params: inSession, body: digest }), 201).stale, false);
good(await tess.POST(messages, { params: inSession, body: third }), 201);
assert.equal(good(await tess.GET(summaryPath, { params: inSession })).stale, true);

// A token for a program, which may read and no more.
const reader: Schemas["ApiTokenFields"] = { name: "Reader", scopes: ["chat:read"] };
const token = good(await tess.POST("/api/v1/auth/api-tokens", { body: reader }), 201);
const program = asBearer(token.token ?? "");
assert.equal(good(await program.GET("/api/v1/chat/sessions")).data.length, 2);
refused(await program.POST("/api/v1/chat/sessions", { body: {} }), 403, "insufficient_scope");
const inToken = { path: { token_id: token.id } };
good(await tess.DELETE("/api/v1/auth/api-tokens/{token_id}", { params: inToken }), 204);
refused(await program.GET("/api/v1/chat/sessions"), 401, "token_invalid");

// To the trash and back.
good(await tess.DELETE(messagePath, { params: inMessage }), 204);
refused(await tess.DELETE(messagePath, { params: inMessage }), 404, "not_found");
const restored = good(await tess.POST("/api/v1/chat/messages/{message_id}/restore", { params: inMessage }));
assert.equal(restored.deleted_at, null);
good(await tess.DELETE(sessionPath, { params: inSession }), 204);
refused(await tess.GET(sessionPath, { params: inSession }), 404, "not_found");
const back = good(await tess.POST("/api/v1/chat/sessions/{session_id}/restore", { params: inSession }));
assert.equal(back.message_count, 4);

// The end of the login.
good(await tess.POST("/api/v1/auth/logout", { body: { all: false } }), 204);
refused(await tess.GET("/api/v1/auth/account"), 401, "token_invalid");
console.log("The TypeScript client went the whole way.");
