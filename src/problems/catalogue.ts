/**
 * Every error type that a caller can see, side by side: its HTTP status and its message in the two
 * languages of the service. `docs/troubleshooting.md` explains each one; a test compares the two.
 */

/** The languages in which human-readable texts exist. */
export type Language = "en" | "zh";

type Texts = Record<Language, string>;

interface ProblemDefinition<Data> {
  readonly status: number;
  readonly texts: (data: Data) => Texts;
}

function define<Data = Record<never, never>>(
  status: number,
  texts: (data: Data) => Texts,
): ProblemDefinition<Data> {
  return { status, texts };
}

/** What is away, or has no place left. */
const unavailableStores = {
  database: {
    en: "The database cannot be reached at the moment. Nothing was changed; try again shortly.",
    zh: "数据库暂时无法访问。未作任何更改，请稍后重试。",
  },
  connections: {
    en: "All connections to the database are in use. Nothing was changed; try again shortly.",
    zh: "数据库连接已全部占用。未作任何更改，请稍后重试。",
  },
  disk: {
    en: "There is no room left on the disk for what you sent. Nothing was kept; try again later, or tell whoever runs the service.",
    zh: "磁盘空间不足，无法接收您发送的内容。未保留任何内容，请稍后重试，或联系服务管理员。",
  },
  identity: {
    en: "Who you are and what you may do cannot be checked at the moment. Nothing was changed; try again shortly.",
    zh: "暂时无法核实您的身份或权限。未作任何更改，请稍后重试。",
  },
} as const satisfies Record<string, Texts>;

export const problemCatalogue = {
  malformed_json: define(400, () => ({
    en: "The request body is not valid JSON. Send one JSON object with Content-Type: application/json.",
    zh: "请求体不是有效的 JSON。请发送一个 JSON 对象，并设置 Content-Type: application/json。",
  })),
  bad_request: define<{ en: string; zh: string }>(400, ({ en, zh }) => ({ en, zh })),
  unauthorized: define<{ reason?: "missing" | "expired" | "invalid" }>(401, ({ reason }) => ({
    en:
      reason === "missing"
        ? "This request needs a token. Send it as Authorization: Bearer <token>, or an API key as X-API-Key."
        : reason === "expired"
          ? "The token has expired. Sign in again and repeat the request."
          : "The token or API key is not valid here.",
    zh:
      reason === "missing"
        ? "此请求需要令牌。请使用 Authorization: Bearer <token>，或使用 X-API-Key 发送 API 密钥。"
        : reason === "expired"
          ? "令牌已过期。请重新登录后再试。"
          : "令牌或 API 密钥无效。",
  })),
  forbidden: define<{ action?: string; page?: string | null }>(403, ({ action, page }) => {
    if (page !== undefined) {
      return {
        en: `A page of ${page ?? "another site"} may not do this here. If it is yours, add its origin to security.cors_origins.`,
        zh: `${page === null ? "其他网站" : ` ${page} `}的页面不能在此执行该操作。如果是您的页面，请将其来源加入 security.cors_origins。`,
      };
    }
    return {
      en: action
        ? `You are not allowed to do this (${action}).`
        : "You are not allowed to do this.",
      zh: action ? `您没有执行此操作的权限（${action}）。` : "您没有执行此操作的权限。",
    };
  }),
  not_found: define<{ method: string; path: string }>(404, ({ method, path }) => ({
    en: `There is nothing at ${method} ${path}. The paths are listed at /docs.`,
    zh: `不存在 ${method} ${path}。所有路径见 /docs。`,
  })),
  session_not_found: define<{ sessionId: string }>(404, ({ sessionId }) => ({
    en: `There is no session ${sessionId}.`,
    zh: `会话 ${sessionId} 不存在。`,
  })),
  agent_not_found: define<{ agentId: string }>(404, ({ agentId }) => ({
    en: `There is no agent ${agentId}. GET /chat/agents lists those that exist.`,
    zh: `智能体 ${agentId} 不存在。可用的智能体见 GET /chat/agents。`,
  })),
  message_not_found: define<{ messageId: string }>(404, ({ messageId }) => ({
    en: `There is no message ${messageId}.`,
    zh: `消息 ${messageId} 不存在。`,
  })),
  audio_not_found: define<{ audioId: string }>(404, ({ audioId }) => ({
    en: `There is no audio ${audioId}; it may have expired.`,
    zh: `音频 ${audioId} 不存在，可能已过期。`,
  })),
  attachment_not_found: define<{ attachmentId: string }>(404, ({ attachmentId }) => ({
    en: `There is no attachment ${attachmentId}.`,
    zh: `附件 ${attachmentId} 不存在。`,
  })),
  memory_not_found: define(404, () => ({
    en: "Nothing of that kind is remembered of this user, or not any more.",
    zh: "没有关于该用户的此条记忆，或已被删除。",
  })),
  knowledge_not_found: define(404, () => ({
    en: "There is no such knowledge, or no such document in it, or not any more.",
    zh: "没有此知识库或其中没有此文档，或已被删除。",
  })),
  share_not_found: define(404, () => ({
    en: "This link does not work, or no longer: its time is over, it was ended, or what it showed was deleted.",
    zh: "此链接无效或已失效：已过期、已撤销，或所分享的内容已删除。",
  })),
  api_key_not_found: define<{ keyId: string }>(404, ({ keyId }) => ({
    en: `There is no API key ${keyId}. GET /api-keys lists those that there are.`,
    zh: `API 密钥 ${keyId} 不存在。现有密钥见 GET /api-keys。`,
  })),
  method_not_allowed: define<{ method: string; allowed: string }>(405, ({ method, allowed }) => ({
    en: `${method} is not possible here. Allowed: ${allowed}.`,
    zh: `此处不支持 ${method}。允许的方法：${allowed}。`,
  })),
  session_busy: define<{ messageId?: string }>(409, ({ messageId }) => ({
    en: `The session is still answering${messageId ? ` (reply ${messageId})` : ""}. Wait for it, cancel it, or send with on_busy: "enqueue" or "interrupt".`,
    zh: `该会话正在回复${messageId ? `（回复 ${messageId}）` : ""}。请等待、取消，或使用 on_busy: "enqueue" 或 "interrupt" 发送。`,
  })),
  session_archived: define<{ sessionId: string }>(409, ({ sessionId }) => ({
    en: `Session ${sessionId} is archived. Activate it first: PATCH /sessions/${sessionId} {"status": "active"}.`,
    zh: `会话 ${sessionId} 已归档。请先激活：PATCH /sessions/${sessionId} {"status": "active"}。`,
  })),
  idempotency_conflict: define(409, () => ({
    en: "This Idempotency-Key was already used with another request body. Use a new key for a new request.",
    zh: "此 Idempotency-Key 已用于内容不同的请求。新请求请使用新的键。",
  })),
  message_running: define<{ messageId: string }>(409, ({ messageId }) => ({
    en: `Message ${messageId} is still being answered. Wait for the end, or cancel it, then try again.`,
    zh: `消息 ${messageId} 仍在回复中。请等待其结束或先取消，然后重试。`,
  })),
  message_not_running: define<{ messageId: string; status: string }>(
    409,
    ({ messageId, status }) => ({
      en: `Reply ${messageId} is not running; it is ${status}.`,
      zh: `回复 ${messageId} 未在进行中，当前状态为 ${status}。`,
    }),
  ),
  message_not_queued: define<{ messageId: string }>(409, ({ messageId }) => ({
    en: `Message ${messageId} does not wait any more: it is being answered, or has been. Edit it instead: POST /chat/message/${messageId}/edit.`,
    zh: `消息 ${messageId} 已不在排队中：正在回复或已经回复。请改为编辑：POST /chat/message/${messageId}/edit。`,
  })),
  payload_too_large: define<{ limit: string }>(413, ({ limit }) => ({
    en: `The request is too large. The limit is ${limit}.`,
    zh: `请求过大，上限为 ${limit}。`,
  })),
  storage_quota_exceeded: define<{ maxBytes: number }>(413, ({ maxBytes }) => {
    const room = Math.round(maxBytes / 1024 / 1024);
    return {
      en: `There is no room for these files: a user may have ${room} MiB stored. Delete conversations that have files, then send them again.`,
      zh: `没有空间存放这些文件：每个用户最多可存储 ${room} MiB。请先删除含有文件的会话，然后重新发送。`,
    };
  }),
  unsupported_media_type: define<{ got: string; expected: string }>(415, ({ got, expected }) => ({
    en: `${got} is not supported here. Send ${expected}.`,
    zh: `此处不支持 ${got}。请发送 ${expected}。`,
  })),
  unsupported_parameter: define<{ parameter: string; en?: string; zh?: string }>(
    400,
    ({ parameter, en, zh }) => ({
      en: `${parameter} cannot be served here${en === undefined ? "" : `: ${en}`}. Leave it out.`,
      zh: `此处不支持 ${parameter}${zh === undefined ? "" : `：${zh}`}。请去掉该参数。`,
    }),
  ),
  unsupported: define<{ what: string }>(400, ({ what }) => ({
    en: `${what} is not served here.`,
    zh: `此处不提供 ${what}。`,
  })),
  range_not_satisfiable: define<{ bytes?: number }>(416, ({ bytes }) => ({
    en: `The range that was asked for lies behind the end${bytes === undefined ? "" : `: there are ${bytes} bytes`}.`,
    zh: `请求的范围超出了内容末尾${bytes === undefined ? "" : `（共 ${bytes} 字节）`}。`,
  })),
  validation_failed: define<{ en?: string; zh?: string }>(422, ({ en, zh }) => ({
    en: en ?? "The request is not valid. See details for each fault.",
    zh: zh ?? "请求参数无效，详见 details。",
  })),
  context_too_long: define<{ agentId: string }>(422, ({ agentId }) => ({
    en: `The message is too long for the model of agent ${agentId}, even without what was said before. Send less text or smaller files, or choose a model that takes more.`,
    zh: `即使不带之前的对话，消息也超出了智能体 ${agentId} 的模型上下文长度。请缩短内容或减小文件，或选择上下文更大的模型。`,
  })),
  import_failed: define<{ en: string; zh: string }>(422, ({ en, zh }) => ({
    en: `Nothing was imported. ${en}`,
    zh: `未导入任何内容。${zh}`,
  })),
  rate_limited: define<{ seconds: number }>(429, ({ seconds }) => ({
    en: `Too many requests. Try again in ${seconds} s.`,
    zh: `请求过于频繁。请在 ${seconds} 秒后重试。`,
  })),
  queue_full: define<{ limit: number }>(429, ({ limit }) => ({
    en: `${limit} messages already wait in this session. Try again when some of them are answered.`,
    zh: `该会话已有 ${limit} 条消息在排队。请在部分消息得到回复后重试。`,
  })),
  budget_exceeded: define<{
    scope: "user" | "key" | "all";
    period: "day" | "month";
    renewsAt: string;
  }>(429, ({ scope, period, renewsAt }) => ({
    en: `${{ user: "Your", key: "This API key's", all: "The service's" }[scope]} budget for this ${period} is used up. It renews at ${renewsAt}.`,
    zh: `${{ user: "您", key: "此 API 密钥", all: "本服务" }[scope]}${period === "day" ? "今日" : "本月"}的用量额度已用完，将于 ${renewsAt} 恢复。`,
  })),
  internal_error: define(500, () => ({
    en: "Something went wrong inside the service. The request id leads to the cause in the log.",
    zh: "服务内部错误。可凭请求编号（request_id）在日志中查找原因。",
  })),
  agent_failed: define<{ agentId: string; detail?: Texts }>(502, ({ agentId, detail }) => ({
    en: `Agent ${agentId} failed. ${detail?.en ?? "Your message is kept; send another to try again."}`,
    zh: `智能体 ${agentId} 执行失败。${detail?.zh ?? "您的消息已保存，可重新发送再试。"}`,
  })),
  speech_failed: define(502, () => ({
    en: "The speech service failed. The text is not affected.",
    zh: "语音服务失败，文本不受影响。",
  })),
  agent_unavailable: define<{ agentId: string; reason?: Texts }>(503, ({ agentId, reason }) => ({
    en: `Agent ${agentId} cannot be reached at the moment${reason === undefined ? "" : `: ${reason.en}`}. Try again shortly.`,
    zh: `智能体 ${agentId} 暂时无法访问${reason === undefined ? "" : `：${reason.zh}`}，请稍后重试。`,
  })),
  voice_unavailable: define<{ remedy?: Texts }>(503, ({ remedy }) => ({
    en: remedy?.en ?? "No speech service is configured. See docs/voice.md.",
    zh: remedy?.zh ?? "未配置语音服务，参见 docs/voice.md。",
  })),
  storage_unavailable: define<{ what?: keyof typeof unavailableStores }>(
    503,
    ({ what = "database" }) => unavailableStores[what],
  ),
  overloaded: define(503, () => ({
    en: "The service is at the limit of what it does at a time. Try again shortly.",
    zh: "服务的并发处理已达上限，请稍后重试。",
  })),
  shutting_down: define(503, () => ({
    en: "This node is shutting down. Repeat the request; another node will take it.",
    zh: "该节点正在关闭。请重试，其他节点会处理。",
  })),
  interrupted: define(503, () => ({
    en: "The service stopped while it was answering. What had arrived is kept; send the message again for a whole answer.",
    zh: "服务在回复过程中停止。已生成的内容会保留；如需完整回复，请重新发送消息。",
  })),
  agent_timeout: define<{ agentId: string; seconds: number }>(504, ({ agentId, seconds }) => ({
    en: `Agent ${agentId} sent nothing for ${seconds} s and was stopped. Your message is kept.`,
    zh: `智能体 ${agentId} 在 ${seconds} 秒内没有响应，已停止。您的消息已保存。`,
  })),
  speech_timeout: define(504, () => ({
    en: "The speech service took too long. The text is not affected; try again.",
    zh: "语音服务超时，文本不受影响，请重试。",
  })),
} as const;

export type ProblemType = keyof typeof problemCatalogue;

/** What a problem of this type is built from. */
export type ProblemData<T extends ProblemType> = Parameters<
  (typeof problemCatalogue)[T]["texts"]
>[0];
