"""Made from the OpenAPI document by scripts/write-client-types.ts; changed there, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Union

from ._typing import NotRequired


class SessionInfo(TypedDict):
    session_id: str
    user_id: str
    agent_id: str
    title: str | None
    status: Literal["active"] | Literal["archived"]
    created_at: str
    last_activity: str
    # Messages of the active path, of both sides, those being made included.
    message_count: int
    # Of all branches.
    total_message_count: int
    head_message_id: str | None
    pinned: bool
    tags: Sequence[str]
    config: Mapping[str, Any]
    metadata: Mapping[str, Any]
    active_message_id: str | None
    active_message_status: Literal["streaming"] | Literal["paused"] | None


class PostChatSessionAnswer(TypedDict):
    success: Literal[True]
    session_id: str
    session_info: SessionInfo


class GetChatSessionBySessionIdStatusAnswer(TypedDict):
    session_id: str
    status: str
    last_activity: str
    message_count: int
    user_id: str
    agent_id: str
    created_at: str
    active_message_id: str | None


class Pagination(TypedDict):
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class GetSessionsAnswer(TypedDict):
    success: Literal[True]
    user_id: str
    sessions: Sequence[SessionInfo]
    pagination: Pagination


GetSessionsBySessionIdAnswer: TypeAlias = "SessionInfo"


PatchSessionsBySessionIdAnswer: TypeAlias = "SessionInfo"


class DeleteSessionsBySessionIdAnswer(TypedDict):
    success: Literal[True]
    message: str
    session_id: str


PostSessionsBySessionIdForkAnswer: TypeAlias = "PostChatSessionAnswer"


DeleteChatSessionBySessionIdAnswer: TypeAlias = "DeleteSessionsBySessionIdAnswer"


class GetAuditAnswerEntriesItem(TypedDict):
    entry_id: str
    at: str
    actor: str | None
    key_name: str | None
    # What: a method and the pattern of a path.
    action: str
    subject: str | None
    # Ids.
    target: Mapping[str, str]
    request_id: str
    address: str
    # `allowed`: noted before it was done, without which it is not done; `failed`: what the same request was allowed was not done after all.
    outcome: Literal["allowed"] | Literal["failed"]
    status: int | None


class GetAuditAnswerPagination(TypedDict):
    limit: int
    has_more: bool
    next_cursor: str | None


class GetAuditAnswer(TypedDict):
    success: Literal[True]
    entries: Sequence[GetAuditAnswerEntriesItem]
    pagination: GetAuditAnswerPagination


class PostApiKeysAnswerApiKey(TypedDict):
    key_id: str
    name: str
    # How it begins.
    hint: str
    user_id: str
    roles: Sequence[str]
    scopes: Sequence[str] | None
    acts_for_users: bool
    on_disconnect: Literal["continue"] | Literal["cancel"] | None
    created_by: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class PostApiKeysAnswer(TypedDict):
    success: Literal[True]
    # Sent as `X-API-Key` or as a Bearer token.
    key: str
    api_key: PostApiKeysAnswerApiKey


class GetApiKeysAnswer(TypedDict):
    success: Literal[True]
    api_keys: Sequence[PostApiKeysAnswerApiKey]
    pagination: GetAuditAnswerPagination


class DeleteApiKeysByKeyIdAnswer(TypedDict):
    success: Literal[True]
    api_key: PostApiKeysAnswerApiKey


class SessionEventFeedback(TypedDict):
    rating: Literal["up"] | Literal["down"]
    tags: Sequence[str]
    comment: str | None
    timestamp: str


class SessionEvent(TypedDict):
    # Its number, behind which the stream can be taken up.
    seq: int
    # `ready` comes first: `GET /sessions` read after it has everything before. `reset`: what was missed is kept no longer, the list is to be read anew.
    type: Literal["ready"] | Literal["reset"] | Literal["session_created"] | Literal["session_updated"] | Literal["session_deleted"] | Literal["message_created"] | Literal["reply_started"] | Literal["reply_ended"] | Literal["feedback"]
    timestamp: str
    session_id: NotRequired[str]
    session_info: NotRequired[SessionInfo]
    # Of `session_updated`: names of members; `messages` where a message was changed.
    changed: NotRequired[Sequence[str]]
    message_id: NotRequired[str]
    parent_id: NotRequired[str | None]
    role: NotRequired[str]
    agent_id: NotRequired[str]
    reply_to: NotRequired[str]
    # Of `reply_ended`: how; `paused` where a person must decide.
    status: NotRequired[str]
    feedback: NotRequired[SessionEventFeedback | None]


class GetUsageAnswerRowsItem(TypedDict):
    day: NotRequired[str]
    agent_id: NotRequired[str]
    model: NotRequired[str | None]
    # What it was used for.
    kind: NotRequired[Literal["reply"] | Literal["title"] | Literal["summary"]]
    replies: int
    input_tokens: int
    output_tokens: int
    # Of the input, read from a cache.
    cached_tokens: int
    # Of the output.
    reasoning_tokens: int
    cost: float | None


class GetUsageAnswerTotal(TypedDict):
    replies: int
    input_tokens: int
    output_tokens: int
    # Of the input, read from a cache.
    cached_tokens: int
    # Of the output.
    reasoning_tokens: int
    cost: float | None


class GetUsageAnswer(TypedDict):
    success: Literal[True]
    rows: Sequence[GetUsageAnswerRowsItem]
    total: GetUsageAnswerTotal


class DeleteUsageAnswer(TypedDict):
    success: Literal[True]
    deleted: int


class GetChatMemoriesAnswerMemoriesItem(TypedDict):
    memory_id: str
    memory: str
    topics: Sequence[str]
    # The agents that have access to it, as in `GET /chat/agents`.
    agent_ids: Sequence[str]
    updated_at: str | None


class GetChatMemoriesAnswer(TypedDict):
    success: Literal[True]
    memories: Sequence[GetChatMemoriesAnswerMemoriesItem]
    count: int
    # False: a server could not be asked, and may remember more.
    complete: bool


class DeleteChatMemoriesAnswer(TypedDict):
    success: Literal[True]
    # Those that were there just now.
    deleted: int
    pending: bool


class DeleteChatMemoriesByMemoryIdAnswer(TypedDict):
    success: Literal[True]


class GetChatKnowledgeAnswerKnowledgeItemDocumentsItem(TypedDict):
    document_id: str
    name: str
    media_type: str | None
    size: int | None
    # How far its source is with reading it; `partial`: only some of it can be found.
    status: Literal["processing"] | Literal["completed"] | Literal["partial"] | Literal["failed"]
    updated_at: str | None


class GetChatKnowledgeAnswerKnowledgeItem(TypedDict):
    knowledge_id: str
    name: str
    description: str | None
    # The agents that look things up in it, as in `GET /chat/agents`.
    agent_ids: Sequence[str]
    documents: Sequence[GetChatKnowledgeAnswerKnowledgeItemDocumentsItem]


class GetChatKnowledgeAnswer(TypedDict):
    success: Literal[True]
    knowledge: Sequence[GetChatKnowledgeAnswerKnowledgeItem]
    # Whether the caller may add documents and take them away.
    may_change: bool
    # False: a server could not be asked, and may have more.
    complete: bool


class PostChatKnowledgeByKnowledgeIdDocumentsAnswer(TypedDict):
    success: Literal[True]
    document_id: str
    # How far its source is with reading it; `partial`: only some of it can be found.
    status: Literal["processing"] | Literal["completed"] | Literal["partial"] | Literal["failed"]


DeleteChatKnowledgeByKnowledgeIdDocumentsByDocumentIdAnswer: TypeAlias = "DeleteChatMemoriesByMemoryIdAnswer"


class PostSessionsBatchAnswerResultsItem(TypedDict):
    session_id: str
    status: Literal["success"] | Literal["failed"]
    message: NotRequired[str]
    error: NotRequired[str]


class PostSessionsBatchAnswer(TypedDict):
    # Whether all of them succeeded.
    success: bool
    processed_count: int
    failed_count: int
    results: Sequence[PostSessionsBatchAnswerResultsItem]
    errors: Sequence[str]


class GetSessionsUserByUserIdStatsAnswerFeedback(TypedDict):
    """Replies that the user has rated."""

    up: int
    down: int


class GetSessionsUserByUserIdStatsAnswerAgentUsageValue(TypedDict):
    session_count: int
    message_count: int


class GetSessionsUserByUserIdStatsAnswer(TypedDict):
    user_id: str
    total_sessions: int
    active_sessions: int
    archived_sessions: int
    total_messages: int
    # Stored speech and recordings.
    total_audio: int
    average_messages_per_session: float
    # Replies that the user has rated.
    feedback: GetSessionsUserByUserIdStatsAnswerFeedback
    agent_usage: Mapping[str, GetSessionsUserByUserIdStatsAnswerAgentUsageValue]
    timestamp: str


class PostSessionsCleanupAnswerInactiveSessionsItem(TypedDict):
    session_id: str
    user_id: str
    last_activity: str
    days_inactive: int


class PostSessionsCleanupAnswer(TypedDict):
    success: Literal[True]
    dry_run: bool
    found_inactive: int
    would_delete: NotRequired[int]
    deleted_count: NotRequired[int]
    inactive_sessions: Sequence[PostSessionsCleanupAnswerInactiveSessionsItem]


class AnswerAudioResponse(TypedDict):
    audio_id: str
    # Path of the bytes, as GET /chat/audio/{audio_id}.
    url: str
    format: str
    encoding: Literal["base64"]
    # The bytes, where they are small enough.
    data: NotRequired[str]
    duration_ms: int | None


class AnswerUsage(TypedDict):
    input_tokens: int
    output_tokens: int


class AnswerContext(TypedDict):
    """How much of the conversation the reply's model was sent, where that is known."""

    # Earlier ones and the new one.
    messages: int
    estimated_tokens: int
    # Earlier messages that did not fit.
    dropped: int
    # Earlier messages that a summary stood for.
    summarised: NotRequired[int]


class AnswerRequirementsItem(TypedDict):
    id: str
    kind: Literal["confirm"] | Literal["input"] | Literal["external"]
    tool: str
    arguments: Mapping[str, Any]


class Answer(TypedDict):
    success: Literal[True]
    session_id: str
    # The assistant's message.
    message_id: str
    user_message_id: str
    response: str
    timestamp: str
    agent_id: str
    original_message: str
    processed_message: str | None
    audio_response: AnswerAudioResponse | None
    usage: AnswerUsage | None
    # How much of the conversation the reply's model was sent, where that is known.
    context: NotRequired[AnswerContext]
    # Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none.
    output: NotRequired[Any]
    # Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms.
    output_error: NotRequired[Literal["not_json"] | Literal["not_an_object"] | Literal["too_deep"] | Literal["schema_mismatch"] | Literal["schema_unchecked"] | Literal["incomplete"] | Literal["refused"]]
    finish_reason: str
    status: str
    requirements: NotRequired[Sequence[AnswerRequirementsItem]]


class Accepted(TypedDict):
    success: Literal[True]
    session_id: str
    # The assistant's message.
    message_id: str
    user_message_id: str
    agent_id: str
    processed_message: str | None
    status: str
    timestamp: str
    position: NotRequired[int]
    # `decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`.
    reason: NotRequired[Literal["running"] | Literal["decision"]]
    # The reply in front.
    waits_for: NotRequired[str]
    requirements: NotRequired[Sequence[AnswerRequirementsItem]]


PostChatMessageAnswer: TypeAlias = "Answer | Accepted"


class UserMessageEvent(TypedDict):
    """Always first, with id 1: the turn was accepted and stored. Again for each message that becomes part of it while it waits."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["user_message"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    # For voice: the transcript.
    message: str
    user_message_id: str
    reply_message_id: str
    processed_message: NotRequired[str]


class QueuedEvent(TypedDict):
    """An earlier message comes first. Told anew when what it waits for, or its place, has changed."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["queued"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    position: int
    # `decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`. Absent: nothing is in front any more, it begins where there is room.
    reason: NotRequired[Literal["running"] | Literal["decision"]]
    # The reply in front, as it was then.
    waits_for: NotRequired[str]
    requirements: NotRequired[Sequence[AnswerRequirementsItem]]
    # Messages of the user that are answered together with the one before this event, by one reply (`on_busy: merge`).
    joins: NotRequired[Sequence[str]]


class AssistantChunkEvent(TypedDict):
    """Text as the agent produces it."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["assistant_chunk"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    chunk: str
    # True on the last one, whose chunk may be empty.
    finished: bool
    agent_id: str


class ReasoningChunkEvent(TypedDict):
    """Thinking; not part of the answer."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["reasoning_chunk"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    chunk: str
    agent_id: str


class ToolCallEvent(TypedDict):
    """A tool at work."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["tool_call"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    tool_call_id: str
    name: str
    status: Literal["started"] | Literal["completed"] | Literal["failed"]
    arguments: NotRequired[Any]
    # Cut at 4 KiB.
    result: NotRequired[Any]
    agent_id: str


class AgentEvent(TypedDict):
    """Who is at work in a team or workflow."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["agent_event"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    event: Literal["member_started"] | Literal["member_completed"] | Literal["member_failed"] | Literal["step_started"] | Literal["step_completed"] | Literal["step_failed"] | Literal["step_progress"] | Literal["handoff"] | Literal["branch_taken"] | Literal["iteration_started"] | Literal["memory_updated"] | Literal["context_compacted"]
    agent_id: str
    name: str
    parent_agent_id: NotRequired[str]
    # What a member or step produced, how far a step is, what is remembered; cut at 4 KiB.
    detail: NotRequired[str]
    # Of `branch_taken`: the steps that come next; of a condition `if` or `else`.
    branches: NotRequired[Sequence[str]]
    # Of `iteration_started`: which one.
    iteration: NotRequired[int]
    max_iterations: NotRequired[int]
    # Of `context_compacted`: how many were.
    messages: NotRequired[int]


class MediaEvent(TypedDict):
    """An image, sound or file that the agent produced, by reference."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["media"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    kind: str
    # Of what is kept here the path below this service; absent where it is not (`left_out`).
    url: NotRequired[str]
    name: NotRequired[str]
    # Given where the file is kept here, as attachments are.
    attachment_id: NotRequired[str]
    media_type: NotRequired[str]
    # Bytes.
    size: NotRequired[int]
    # The file is lost: its user has no room for it (`limits`), or it could not be stored.
    left_out: NotRequired[Literal["no_space"] | Literal["not_stored"]]
    agent_id: str


class SourcesEventSourcesItem(TypedDict):
    """A page or document that a reply rests on; one of the members is always there."""

    title: NotRequired[str]
    # `http` or `https`.
    url: NotRequired[str]
    # The beginning of what of it was used.
    excerpt: NotRequired[str]


class SourcesEvent(TypedDict):
    """What the reply rests on, such as pages that were searched and documents of a knowledge base: those that are new."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["sources"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    sources: Sequence[SourcesEventSourcesItem]
    agent_id: str


class SuggestionsEvent(TypedDict):
    """What the user might say next, in place of what was suggested before."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["suggestions"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    suggestions: Sequence[str]


class TasksEventTasksItem(TypedDict):
    id: str
    title: str
    status: Literal["pending"] | Literal["in_progress"] | Literal["completed"] | Literal["failed"] | Literal["blocked"]
    # A member's id.
    assignee: NotRequired[str]


class TasksEvent(TypedDict):
    """What the agent has set itself to do, all of it, in place of what was told before."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["tasks"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    tasks: Sequence[TasksEventTasksItem]
    agent_id: str


class AgentCustomEvent(TypedDict):
    """What the agent's author wants clients to know; equal ones are told once, 100 of a message."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["agent_custom"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    name: str
    # In the author's own form; absent where it is above 8 KiB.
    data: NotRequired[Mapping[str, Any]]
    agent_id: str


class AudioChunkEvent(TypedDict):
    """Speech for one sentence, while the rest is still being written."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["audio_chunk"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    sequence: int
    format: str
    # In Hz; of `pcm` always told.
    sample_rate: int | None
    # Base64.
    data: str
    text: str
    # Where it stands in the reply's speech.
    start_ms: int
    duration_ms: int | None
    # The part of the reply's text that it stands for, in UTF-16 units.
    text_start: int
    text_end: int


class AudioResponseEvent(TypedDict):
    """The whole reply as speech."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["audio_response"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    audio: AnswerAudioResponse


class SteeredEvent(TypedDict):
    """The reply has taken in a message that was sent with `on_busy: steer`, or that was the answer to what it had asked; what follows knows of it."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["steered"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    user_message_id: str
    message: str
    # Where it came in the reply's text, in UTF-16 units.
    text_start: int


class PausedEvent(TypedDict):
    """A person must decide; POST /chat/message/{message_id}/continue goes on."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["paused"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    requirements: Sequence[AnswerRequirementsItem]
    # Why decisions that were sent before were not taken.
    error: NotRequired[str]
    code: NotRequired[int]
    error_type: NotRequired[str]


class ReplacedEvent(TypedDict):
    """The agent has taken back its text so far: this stands in its place, and chunks go on behind it."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["replaced"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    content: str


class SnapshotEventSteeredItem(TypedDict):
    # Of the user's message.
    message_id: str
    # Where it came in the reply's text, in UTF-16 units.
    text_start: int


class SnapshotEventCustomEventsItem(TypedDict):
    name: str
    # In the author's own form; absent where it is above 8 KiB.
    data: NotRequired[Mapping[str, Any]]
    agent_id: str


class SnapshotEvent(TypedDict):
    """The text so far in one piece, for a reader that has missed events of it; its id is the last event it covers."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["snapshot"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    content: str
    reasoning: NotRequired[str]
    # Messages of the user that the reply has taken in while it was made.
    steered: NotRequired[Sequence[SnapshotEventSteeredItem]]
    sources: NotRequired[Sequence[SourcesEventSourcesItem]]
    # What the user might say next.
    suggestions: NotRequired[Sequence[str]]
    # What the agent has set itself to do.
    tasks: NotRequired[Sequence[TasksEventTasksItem]]
    # As the events `agent_custom`.
    custom_events: NotRequired[Sequence[SnapshotEventCustomEventsItem]]
    # The model that has written it, where its source says so.
    model: NotRequired[str]


class ConversationCompleteEvent(TypedDict):
    """The reply is stored. Terminal."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["conversation_complete"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    full_response: str
    agent_id: str
    finish_reason: str
    usage: AnswerUsage | None
    # How much of the conversation the reply's model was sent, where that is known.
    context: NotRequired[AnswerContext]
    # Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none.
    output: NotRequired[Any]
    # Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms.
    output_error: NotRequired[Literal["not_json"] | Literal["not_an_object"] | Literal["too_deep"] | Literal["schema_mismatch"] | Literal["schema_unchecked"] | Literal["incomplete"] | Literal["refused"]]
    duration_ms: int
    time_to_first_token_ms: int | None


class CancelledEvent(TypedDict):
    """Stopped on purpose; what had been said is kept. Terminal."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["cancelled"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    full_response: str
    reason: str


class ErrorEvent(TypedDict):
    """The reply ended in a fault. Terminal."""

    # Its number, behind which the stream can be taken up.
    seq: int
    type: Literal["error"]
    session_id: str
    # The reply this event belongs to.
    message_id: str
    timestamp: str
    error: str
    # As an HTTP status.
    code: int
    # As `error.type`, or `interrupted`.
    error_type: str
    # What had arrived.
    full_response: str


class MessageSiblings(TypedDict):
    """Where there are others of this role below the same parent: all of them."""

    ids: Sequence[str]
    index: int


class MessageAttachmentsItem(TypedDict):
    attachment_id: str
    name: str
    media_type: str
    # Bytes.
    size: int
    # Path of the bytes.
    url: str


class MessageAnswersDecisionsItem(TypedDict):
    id: str
    approved: bool
    note: NotRequired[str]
    result: NotRequired[Any]


class MessageAnswers(TypedDict):
    """Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own."""

    message_id: str
    decisions: Sequence[MessageAnswersDecisionsItem]


class MessageError(TypedDict):
    type: str
    code: int
    message: str


class Message(TypedDict):
    message_id: str
    session_id: str
    parent_id: str | None
    role: Literal["user"] | Literal["assistant"] | Literal["system"]
    content: str
    timestamp: str
    agent_id: str
    status: Literal["queued"] | Literal["streaming"] | Literal["paused"] | Literal["complete"] | Literal["cancelled"] | Literal["interrupted"] | Literal["failed"]
    metadata: Mapping[str, Any]
    # Of an assistant message: the user's message.
    reply_to: NotRequired[str]
    # Where there are others of this role below the same parent: all of them.
    siblings: NotRequired[MessageSiblings]
    usage: NotRequired[AnswerUsage | None]
    # How much of the conversation the reply's model was sent, where that is known.
    context: NotRequired[AnswerContext]
    # Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none.
    output: NotRequired[Any]
    # Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms.
    output_error: NotRequired[Literal["not_json"] | Literal["not_an_object"] | Literal["too_deep"] | Literal["schema_mismatch"] | Literal["schema_unchecked"] | Literal["incomplete"] | Literal["refused"]]
    finish_reason: NotRequired[str | None]
    reasoning: NotRequired[str]
    tool_calls: NotRequired[Sequence[Mapping[str, Any]]]
    media: NotRequired[Sequence[Mapping[str, Any]]]
    # Messages of the user that the reply has taken in while it was made.
    steered: NotRequired[Sequence[SnapshotEventSteeredItem]]
    sources: NotRequired[Sequence[SourcesEventSourcesItem]]
    # What the user might say next.
    suggestions: NotRequired[Sequence[str]]
    # What the agent has set itself to do.
    tasks: NotRequired[Sequence[TasksEventTasksItem]]
    # As the events `agent_custom`.
    custom_events: NotRequired[Sequence[SnapshotEventCustomEventsItem]]
    # The model that has written it, where its source says so.
    model: NotRequired[str]
    audio: NotRequired[Mapping[str, Any]]
    attachments: NotRequired[Sequence[MessageAttachmentsItem]]
    # Of a spoken reply that was interrupted: what follows `content` and nobody heard.
    unspoken: NotRequired[str]
    requirements: NotRequired[Sequence[AnswerRequirementsItem]]
    # Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own.
    answers: NotRequired[MessageAnswers]
    feedback: NotRequired[SessionEventFeedback]
    error: NotRequired[MessageError]


GetChatMessageByMessageIdAnswer: TypeAlias = "Message"


class DeleteChatMessageByMessageIdAnswer(TypedDict):
    success: Literal[True]
    message: str
    message_id: str


PatchChatMessageByMessageIdAnswer: TypeAlias = "Message"


PostChatMessageByMessageIdCancelAnswer: TypeAlias = "Message"


PostChatMessageByMessageIdRegenerateAnswer: TypeAlias = "Answer | Accepted"


PostChatMessageByMessageIdEditAnswer: TypeAlias = "Answer | Accepted"


PostChatVoiceAnswer: TypeAlias = "Answer | Accepted"


class GetChatVoicesAnswerVoicesItem(TypedDict):
    id: str
    name: str
    language: str | None


class GetChatVoicesAnswerTranscription(TypedDict):
    enabled: bool
    providers: Sequence[str]
    languages: Sequence[str] | Literal["any"]


class GetChatVoicesAnswer(TypedDict):
    success: Literal[True]
    voices: Sequence[GetChatVoicesAnswerVoicesItem]
    default: str | None
    formats: Sequence[str]
    transcription: GetChatVoicesAnswerTranscription
    synthesis: GetChatVoicesAnswerTranscription


class PostChatVoiceTranscribeAnswer(TypedDict):
    success: Literal[True]
    text: str
    language: str | None
    duration_ms: int


class GetChatWsInfoAnswer(TypedDict):
    websocket_enabled: Literal[True]
    websocket_path: str
    client_messages: Mapping[str, str]
    server_messages: Sequence[str]
    supported_features: Sequence[str]


class GetChatSearchAnswerHitsItem(TypedDict):
    message_id: str | None
    session_id: str
    session_title: str | None
    session_status: str
    role: str | None
    agent_id: str
    timestamp: str
    # Whether the conversation shows it now.
    in_active_path: bool
    # At most 200 UTF-16 units around the first match.
    snippet: str
    # Beginnings and ends in the snippet, in UTF-16 units.
    matches: Sequence[Sequence[int]]


class GetChatSearchAnswerPagination(TypedDict):
    limit: int
    # A page may be short, and even empty, and have more behind it: so much is looked at for one.
    has_more: bool
    next_cursor: str | None
    # With `total=true`: counted to 1000; of more, "1000+".
    total: NotRequired[int | str]


class GetChatSearchAnswer(TypedDict):
    success: Literal[True]
    hits: Sequence[GetChatSearchAnswerHitsItem]
    pagination: GetChatSearchAnswerPagination


class GetSessionsBySessionIdQueueAnswer(TypedDict):
    success: Literal[True]
    messages: Sequence[Message]


class GetChatHistoryBySessionIdAnswer(TypedDict):
    success: Literal[True]
    session_id: str
    messages: Sequence[Message]
    pagination: Pagination
    session_info: SessionInfo


PutChatMessageByMessageIdFeedbackAnswer: TypeAlias = "Message"


class GetFeedbackAnswerFeedbackItem(TypedDict):
    message_id: str
    session_id: str
    user_id: str
    agent_id: str
    model: str | None
    rating: Literal["up"] | Literal["down"]
    tags: Sequence[str]
    comment: str | None
    timestamp: str
    question: str | None
    answer: str


class GetFeedbackAnswer(TypedDict):
    success: Literal[True]
    feedback: Sequence[GetFeedbackAnswerFeedbackItem]
    pagination: GetAuditAnswerPagination


class GetSessionsBySessionIdExportAnswerMessagesItemAttachmentsItem(TypedDict):
    attachment_id: str
    name: str
    media_type: str
    # Bytes.
    size: int
    data: str | None


class GetSessionsBySessionIdExportAnswerMessagesItem(TypedDict):
    message_id: str
    session_id: str
    parent_id: str | None
    role: Literal["user"] | Literal["assistant"] | Literal["system"]
    content: str
    timestamp: str
    agent_id: str
    status: Literal["queued"] | Literal["streaming"] | Literal["paused"] | Literal["complete"] | Literal["cancelled"] | Literal["interrupted"] | Literal["failed"]
    metadata: Mapping[str, Any]
    # Of an assistant message: the user's message.
    reply_to: NotRequired[str]
    # Where there are others of this role below the same parent: all of them.
    siblings: NotRequired[MessageSiblings]
    usage: NotRequired[AnswerUsage | None]
    # How much of the conversation the reply's model was sent, where that is known.
    context: NotRequired[AnswerContext]
    # Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none.
    output: NotRequired[Any]
    # Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms.
    output_error: NotRequired[Literal["not_json"] | Literal["not_an_object"] | Literal["too_deep"] | Literal["schema_mismatch"] | Literal["schema_unchecked"] | Literal["incomplete"] | Literal["refused"]]
    finish_reason: NotRequired[str | None]
    reasoning: NotRequired[str]
    tool_calls: NotRequired[Sequence[Mapping[str, Any]]]
    media: NotRequired[Sequence[Mapping[str, Any]]]
    # Messages of the user that the reply has taken in while it was made.
    steered: NotRequired[Sequence[SnapshotEventSteeredItem]]
    sources: NotRequired[Sequence[SourcesEventSourcesItem]]
    # What the user might say next.
    suggestions: NotRequired[Sequence[str]]
    # What the agent has set itself to do.
    tasks: NotRequired[Sequence[TasksEventTasksItem]]
    # As the events `agent_custom`.
    custom_events: NotRequired[Sequence[SnapshotEventCustomEventsItem]]
    # The model that has written it, where its source says so.
    model: NotRequired[str]
    audio: NotRequired[Mapping[str, Any]]
    # Of a spoken reply that was interrupted: what follows `content` and nobody heard.
    unspoken: NotRequired[str]
    requirements: NotRequired[Sequence[AnswerRequirementsItem]]
    # Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own.
    answers: NotRequired[MessageAnswers]
    feedback: NotRequired[SessionEventFeedback]
    error: NotRequired[MessageError]
    output_format: NotRequired[str]
    attachments: NotRequired[Sequence[GetSessionsBySessionIdExportAnswerMessagesItemAttachmentsItem]]


class GetSessionsBySessionIdExportAnswer(TypedDict):
    format: Literal["chat-service"]
    version: Literal[1]
    exported_at: str
    session: SessionInfo
    # Of all branches, each behind its parent.
    messages: Sequence[GetSessionsBySessionIdExportAnswerMessagesItem]


class PostSessionsBySessionIdShareAnswer(TypedDict):
    success: Literal[True]
    share_id: str
    # Whole where `server.public_url` is set, else a path of this service.
    url: str
    expires_at: str


class GetSessionsBySessionIdShareAnswerSharesItem(TypedDict):
    share_id: str
    # Whole where `server.public_url` is set, else a path of this service.
    url: str
    expires_at: str
    created_at: str
    include_files: bool


class GetSessionsBySessionIdShareAnswer(TypedDict):
    success: Literal[True]
    shares: Sequence[GetSessionsBySessionIdShareAnswerSharesItem]


class DeleteSessionsBySessionIdShareByShareIdAnswer(TypedDict):
    success: Literal[True]
    message: str
    share_id: str


class PostImportAnswerConversationsItem(TypedDict):
    source_id: str | None
    source: str | None
    session_id: str | None
    title: str | None
    # Stored now.
    messages: int
    status: Literal["imported"] | Literal["updated"] | Literal["skipped"] | Literal["failed"]
    error: NotRequired[str]


class PostImportAnswer(TypedDict):
    # Whether none of them failed.
    success: bool
    imported: int
    # Were there, and have got what was new.
    updated: int
    # Were there as they are in the file.
    skipped: int
    failed: int
    # The first 10,000.
    conversations: Sequence[PostImportAnswerConversationsItem]


class Agent(TypedDict):
    agent_id: str
    name: str
    description: str
    type: Literal["agent"] | Literal["team"] | Literal["workflow"]
    # Where it comes from: `agno`, `models`, `builtin`, …
    source: str
    model: str | None
    tools: Sequence[str]
    # Members of `session_config` that it can be told; `model`, `temperature` and `instructions` mean nothing to the others, anything else is refused with 422.
    settings: Sequence[str]
    # What one might ask it first, as its author has written it.
    suggested_prompts: Sequence[str]
    # Whether a message may be the answer to what its paused reply asks.
    answers_in_words: bool
    metadata: Mapping[str, Any]
    status: Literal["available"] | Literal["unavailable"]


class GetChatAgentsAnswer(TypedDict):
    success: Literal[True]
    agents: Sequence[Agent]
    count: int


class GetChatModelsAnswerModelsItem(TypedDict):
    id: str
    name: str
    provider: str
    # False: it embeds, hears, draws, …, as far as its name and its source tell.
    can_chat: bool


class GetChatModelsAnswer(TypedDict):
    success: Literal[True]
    models: Sequence[GetChatModelsAnswerModelsItem]
    count: int


class GetHealthAnswer(TypedDict):
    status: Literal["healthy"]
    service: str
    version: str
    timestamp: str


class GetHealthLivenessAnswer(TypedDict):
    alive: bool
    timestamp: str
    uptime_seconds: float


class GetHealthReadinessAnswerChecks(TypedDict):
    # The database answers.
    database: bool
    # Redis answers, or is not used. Does not count.
    cache: bool
    # Some source of agents answers. Does not count.
    agents: bool
    # The database has this version's tables.
    migrations: bool
    # The node is shutting down.
    draining: bool


class GetHealthReadinessAnswer(TypedDict):
    ready: bool
    timestamp: str
    checks: GetHealthReadinessAnswerChecks


class GetHealthDetailedAnswerComponentsValue(TypedDict):
    status: Literal["healthy"] | Literal["unhealthy"]
    details: Mapping[str, Any]


class GetHealthDetailedAnswerDependenciesValue(TypedDict):
    status: Literal["healthy"] | Literal["unhealthy"] | Literal["disabled"]
    latency_ms: float | None
    details: Mapping[str, Any]


class GetHealthDetailedAnswer(TypedDict):
    status: Literal["healthy"] | Literal["unhealthy"] | Literal["degraded"]
    service: str
    version: str
    timestamp: str
    uptime_seconds: float
    components: Mapping[str, GetHealthDetailedAnswerComponentsValue]
    # `database`, `redis`, each source of agents (`models`, `agno`, `builtin`, …), `voice`, `gateway`, `base_service`; what is not configured is `disabled`.
    dependencies: Mapping[str, GetHealthDetailedAnswerDependenciesValue]


class GetHealthConfigAnswer(TypedDict):
    service: str
    version: str
    timestamp: str
    environment: str
    features: Mapping[str, bool | str]
    limits: Mapping[str, float | None]


class GetHealthMetricsAnswerSessions(TypedDict):
    total: int
    total_active: int
    by_status: Mapping[str, float]
    by_agent: Mapping[str, float]


class GetHealthMetricsAnswerLatencyMsRequest(TypedDict):
    count: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class GetHealthMetricsAnswerLatencyMs(TypedDict):
    request: GetHealthMetricsAnswerLatencyMsRequest
    reply: GetHealthMetricsAnswerLatencyMsRequest
    time_to_first_token: GetHealthMetricsAnswerLatencyMsRequest


class GetHealthMetricsAnswer(TypedDict):
    service: str
    version: str
    timestamp: str
    uptime_seconds: float
    window_seconds: float
    sessions: GetHealthMetricsAnswerSessions
    messages: Mapping[str, Any]
    replies: Mapping[str, Any]
    requests: Mapping[str, Any]
    errors: Mapping[str, Any]
    tokens: Mapping[str, Any]
    latency_ms: GetHealthMetricsAnswerLatencyMs
    viewers: int
    system: Mapping[str, Any]


class GetInfoAnswerService(TypedDict):
    name: str
    version: str
    environment: str
    description: str


class GetInfoAnswer(TypedDict):
    service: GetInfoAnswerService
    features: Mapping[str, bool | str]
    endpoints: Mapping[str, Mapping[str, str]]
    links: Mapping[str, str | None]
    timestamp: str


class NewSessionSessionConfigResponseFormat(TypedDict):
    type: Literal["text"] | Literal["json_object"]


class NewSessionSessionConfigResponseFormat2JsonSchema(TypedDict):
    name: str
    description: NotRequired[str]
    schema: Mapping[str, Any]
    strict: NotRequired[bool]


class NewSessionSessionConfigResponseFormat2(TypedDict):
    type: Literal["json_schema"]
    json_schema: NewSessionSessionConfigResponseFormat2JsonSchema


class NewSessionSessionConfig(TypedDict):
    title: NotRequired[str]
    # One of GET /chat/models, if the agent lets it be chosen.
    model: NotRequired[str]
    temperature: NotRequired[float]
    # Extra system text.
    instructions: NotRequired[str]
    # Of a reply. This and what follows are refused where the agent cannot be told.
    max_tokens: NotRequired[int]
    top_p: NotRequired[float]
    stop: NotRequired[str | Sequence[str]]
    seed: NotRequired[int]
    presence_penalty: NotRequired[float]
    frequency_penalty: NotRequired[float]
    reasoning_effort: NotRequired[str]
    # For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`.
    response_format: NotRequired[NewSessionSessionConfigResponseFormat | NewSessionSessionConfigResponseFormat2]
    # Defaults for voice_config.
    voice: NotRequired[Mapping[str, Any]]
    # What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step.
    on_busy: NotRequired[Literal["enqueue"] | Literal["reject"] | Literal["interrupt"] | Literal["rollback"] | Literal["merge"] | Literal["steer"]]


class NewSession(TypedDict):
    agent_id: NotRequired[str | None]
    session_config: NotRequired[NewSessionSessionConfig | None]
    metadata: NotRequired[Mapping[str, Any] | None]


class SessionChangesConfig(TypedDict):
    title: NotRequired[str | None]
    model: NotRequired[str | None]
    temperature: NotRequired[float | None]
    instructions: NotRequired[str | None]
    max_tokens: NotRequired[int | None]
    top_p: NotRequired[float | None]
    stop: NotRequired[str | Sequence[str] | None]
    seed: NotRequired[int | None]
    presence_penalty: NotRequired[float | None]
    frequency_penalty: NotRequired[float | None]
    reasoning_effort: NotRequired[str | None]
    response_format: NotRequired[NewSessionSessionConfigResponseFormat | NewSessionSessionConfigResponseFormat2 | None]
    voice: NotRequired[Mapping[str, Any] | None]
    on_busy: NotRequired[Literal["enqueue"] | Literal["reject"] | Literal["interrupt"] | Literal["rollback"] | Literal["merge"] | Literal["steer"] | None]


class SessionChanges(TypedDict):
    title: NotRequired[str | None]
    status: NotRequired[Literal["active"] | Literal["archived"]]
    agent_id: NotRequired[str]
    # Shows the path through this message, down to its newest leaf. 409 `session_busy` while a reply is made that is not on it.
    head_message_id: NotRequired[str]
    config: NotRequired[SessionChangesConfig]
    # Yours; kept as given.
    metadata: NotRequired[Mapping[str, Any]]
    # Pinned sessions are kept however long they are idle.
    pinned: NotRequired[bool]
    # All of them; without space around them, each once.
    tags: NotRequired[Sequence[str]]


class SessionFilter(TypedDict):
    status: NotRequired[Literal["active"] | Literal["archived"]]
    agent_id: NotRequired[str]
    # Words of the title, as in `GET /chat/search`.
    q: NotRequired[str]
    pinned: NotRequired[bool]
    # Repeated: sessions with all of them.
    tag: NotRequired[str | Sequence[str]]
    # `pinned`: those first. A cursor belongs to its order.
    order: NotRequired[Literal["activity"] | Literal["pinned"]]
    limit: NotRequired[int]
    offset: NotRequired[int]
    cursor: NotRequired[str]


class NewShare(TypedDict):
    # Seconds from now on that the link works.
    expires_in: NotRequired[int]
    # Whoever has the link gets the files that came with the messages too.
    include_files: NotRequired[bool]


class ExportChoice(TypedDict):
    format: NotRequired[Literal["json"] | Literal["markdown"]]


class NewMessageVoiceConfig(TypedDict):
    enable_tts: NotRequired[bool]
    # Speech sentence by sentence while the text is being written.
    stream_audio: NotRequired[bool]
    voice: NotRequired[str]
    format: NotRequired[str]
    speed: NotRequired[float]


class NewMessageResponseFormat(TypedDict):
    type: Literal["text"] | Literal["json_object"]


class NewMessageResponseFormat2JsonSchema(TypedDict):
    name: str
    description: NotRequired[str]
    schema: Mapping[str, Any]
    strict: NotRequired[bool]


class NewMessageResponseFormat2(TypedDict):
    type: Literal["json_schema"]
    json_schema: NewMessageResponseFormat2JsonSchema


class NewMessage(TypedDict):
    session_id: NotRequired[str | None]
    parent_message_id: NotRequired[str | None]
    message_type: NotRequired[Literal["text"] | Literal["voice"]]
    voice_config: NotRequired[NewMessageVoiceConfig | None]
    agent_id: NotRequired[str | None]
    session_config: NotRequired[NewSessionSessionConfig | None]
    response_format: NotRequired[NewMessageResponseFormat | NewMessageResponseFormat2 | None]
    context: NotRequired[Mapping[str, Any] | None]
    metadata: NotRequired[Mapping[str, Any] | None]
    # What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step.
    on_busy: NotRequired[Literal["enqueue"] | Literal["reject"] | Literal["interrupt"] | Literal["rollback"] | Literal["merge"] | Literal["steer"]]


class Edit(TypedDict):
    message_type: NotRequired[Literal["text"] | Literal["voice"]]
    voice_config: NotRequired[NewMessageVoiceConfig | None]
    agent_id: NotRequired[str | None]
    session_config: NotRequired[NewSessionSessionConfig | None]
    response_format: NotRequired[NewMessageResponseFormat | NewMessageResponseFormat2 | None]
    context: NotRequired[Mapping[str, Any] | None]
    metadata: NotRequired[Mapping[str, Any] | None]
    # What becomes of it while the session is still answering.
    on_busy: NotRequired[Literal["enqueue"] | Literal["reject"] | Literal["interrupt"] | Literal["rollback"]]


class Again(TypedDict):
    agent_id: NotRequired[str | None]
    model: NotRequired[str]
    temperature: NotRequired[float]
    # Extra system text.
    instructions: NotRequired[str]
    # What becomes of it while the session is still answering.
    on_busy: NotRequired[Literal["enqueue"] | Literal["reject"] | Literal["interrupt"] | Literal["rollback"]]
    voice_config: NotRequired[NewMessageVoiceConfig | None]


class Amendment(TypedDict):
    message: NotRequired[str]
    message_type: NotRequired[Literal["text"] | Literal["voice"]]
    voice_config: NotRequired[NewMessageVoiceConfig | None]
    agent_id: NotRequired[str | None]
    session_config: NotRequired[NewSessionSessionConfig | None]
    response_format: NotRequired[NewMessageResponseFormat | NewMessageResponseFormat2 | None]
    context: NotRequired[Mapping[str, Any] | None]
    metadata: NotRequired[Mapping[str, Any] | None]


class Feedback(TypedDict):
    tags: NotRequired[Sequence[str]]
    comment: NotRequired[str | None]


class SearchChoice(TypedDict):
    session_id: NotRequired[str]
    agent_id: NotRequired[str]
    role: NotRequired[Literal["user"] | Literal["assistant"] | Literal["system"]]
    since: NotRequired[str]
    until: NotRequired[str]
    # Of the session.
    status: NotRequired[Literal["active"] | Literal["archived"]]
    limit: NotRequired[int]
    cursor: NotRequired[str]
    # Whether to count as well.
    total: NotRequired[bool]


class HistoryChoice(TypedDict):
    limit: NotRequired[int]
    # From the oldest.
    offset: NotRequired[int]
    # Id of a message: the path through it. `all`: every message, in the order in which they were accepted. Absent: the active path.
    path: NotRequired[str]
    cursor: NotRequired[str]
    # Messages before this one.
    before: NotRequired[str]
    # Messages after this one.
    after: NotRequired[str]
    # Messages around this one.
    around: NotRequired[str]
    role: NotRequired[Literal["user"] | Literal["assistant"] | Literal["system"]]
    agent_id: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]
    # Words that occur, in any language; `"…"` is a phrase, and the last word may be the beginning of one. `total` is then counted to 1,000.
    q: NotRequired[str]


class Recording(TypedDict):
    # Without one a session is made for user_id.
    session_id: NotRequired[str]
    # Told by the content in any case.
    audio_format: NotRequired[str]
    enable_tts: NotRequired[bool]
    stream_audio: NotRequired[bool]
    voice: NotRequired[str]
    # Of the reply's speech; a wish.
    format: NotRequired[Literal["wav", "mp3", "opus", "aac", "flac", "pcm"]]
    speed: NotRequired[float]
    # Spoken in the recording, such as en or zh.
    language: NotRequired[str]
    # For this turn only.
    agent_id: NotRequired[str]
    on_busy: NotRequired[Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]]


class Transcription(TypedDict):
    language: NotRequired[str]


class Speech(TypedDict):
    voice: NotRequired[str | None]
    format: NotRequired[str | None]
    speed: NotRequired[float | None]


class MemoryChoice(TypedDict):
    # Only what it knows.
    agent_id: NotRequired[str]


class UsageChoice(TypedDict):
    # Of everybody, whatever `user_id` says; administrators only.
    all_users: NotRequired[bool]
    # Days are those of UTC.
    group_by: NotRequired[Literal["day"] | Literal["agent"] | Literal["model"] | Literal["kind"]]
    # Ended at this time or later.
    since: NotRequired[str]
    # Ended before this time.
    until: NotRequired[str]
    # In this conversation of the user's, also when it was deleted.
    session_id: NotRequired[str]
    agent_id: NotRequired[str]
    model: NotRequired[str]
    # What it was used for.
    kind: NotRequired[Literal["reply"] | Literal["title"] | Literal["summary"]]


class Decision(TypedDict):
    id: str
    approved: bool
    note: NotRequired[str]
    result: NotRequired[Any]


# What happens to a reply.
ReplyEvent: TypeAlias = Union[
    "UserMessageEvent",
    "QueuedEvent",
    "AssistantChunkEvent",
    "ReasoningChunkEvent",
    "ToolCallEvent",
    "AgentEvent",
    "MediaEvent",
    "SourcesEvent",
    "SuggestionsEvent",
    "TasksEvent",
    "AgentCustomEvent",
    "AudioChunkEvent",
    "AudioResponseEvent",
    "SteeredEvent",
    "PausedEvent",
    "ReplacedEvent",
    "SnapshotEvent",
    "ConversationCompleteEvent",
    "CancelledEvent",
    "ErrorEvent",
]

# Stable names of errors.
ProblemType = Literal[
    "agent_failed",
    "agent_not_found",
    "agent_timeout",
    "agent_unavailable",
    "api_key_not_found",
    "attachment_not_found",
    "audio_not_found",
    "bad_request",
    "budget_exceeded",
    "forbidden",
    "idempotency_conflict",
    "import_failed",
    "internal_error",
    "knowledge_not_found",
    "malformed_json",
    "memory_not_found",
    "message_not_found",
    "message_not_queued",
    "message_not_running",
    "message_running",
    "overloaded",
    "payload_too_large",
    "queue_full",
    "range_not_satisfiable",
    "rate_limited",
    "session_archived",
    "session_busy",
    "session_not_found",
    "share_not_found",
    "shutting_down",
    "speech_failed",
    "speech_timeout",
    "storage_quota_exceeded",
    "storage_unavailable",
    "unauthorized",
    "unsupported_media_type",
    "validation_failed",
    "voice_unavailable",
]
