import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { keepPage } from "./offline/install.ts";
import { applyPreferences } from "./state/preferences.ts";
import "./styles/base.css";

applyPreferences();
keepPage();

// What the address does not ask for is not loaded.
const Page = /\/status\/?$/.test(location.pathname)
  ? lazy(async () => ({ default: (await import("./status/status-page.tsx")).StatusPage }))
  : lazy(async () => ({ default: (await import("./chat/chat-page.tsx")).ChatPage }));

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Suspense>
        <Page />
      </Suspense>
    </StrictMode>,
  );
}
