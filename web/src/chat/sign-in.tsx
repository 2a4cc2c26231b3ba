import { useState } from "react";
import { signIn } from "../state/identity.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** Asks for the token that the service wants. */
export function SignIn({ wasRefused }: { readonly wasRefused: boolean }) {
  const texts = useTexts();
  const [token, setToken] = useState("");
  const [isKept, setKept] = useState(false);
  return (
    <main className="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const given = token.trim().replace(/^Bearer\s+/i, "");
          if (given !== "") signIn(given, isKept);
        }}
      >
        <Icon name="key" size={28} />
        <h1>{texts.signInTitle}</h1>
        <p>{texts.signInHint}</p>
        {wasRefused && (
          <p className="form-error" role="alert">
            {texts.signInRefused}
          </p>
        )}
        <label>
          {texts.token}
          <input
            type="password"
            autoComplete="current-password"
            spellCheck={false}
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={isKept}
            onChange={(event) => setKept(event.target.checked)}
          />
          {texts.keepToken}
        </label>
        <button type="submit" className="primary">
          {texts.signIn}
        </button>
      </form>
    </main>
  );
}
