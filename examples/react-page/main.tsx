import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createChatClient } from "chat-service-client";
import { Conversation } from "./conversation";

const place = new URLSearchParams(location.search);
const client = createChatClient({ baseUrl: "/api", userId: place.get("user") ?? "ann" });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <Conversation client={client} sessionId={place.get("session")} />
  </StrictMode>,
);
