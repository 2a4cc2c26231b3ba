import { agents } from "../state/catalogue.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";

interface Filters {
  readonly role: "user" | "assistant" | "";
  readonly agentId: string;
  /** 0: whenever it was said. */
  readonly days: number;
}

export const noFilters: Filters = { role: "", agentId: "", days: 0 };

const choices = [1, 7, 30, 365] as const;
const dayMs = 86_400_000;

/** As the service takes them; titles are found only where none of them narrows the search. */
export function queryOf({ role, agentId, days }: Filters) {
  return {
    ...(role !== "" && { role }),
    ...(agentId !== "" && { agent_id: agentId }),
    ...(days > 0 && { since: new Date(Date.now() - days * dayMs).toISOString() }),
  };
}

interface SearchFiltersProps {
  readonly filters: Filters;
  readonly onChange: (filters: Filters) => void;
}

/** By whom, with which agent and how long ago it was said. */
export function SearchFilters({ filters, onChange }: SearchFiltersProps) {
  const texts = useTexts();
  const list = useStore(agents);
  return (
    <div className="search-filters" role="group" aria-label={texts.searchFilters.label}>
      <select
        aria-label={texts.searchFilters.by}
        value={filters.role}
        onChange={({ target }) => onChange({ ...filters, role: target.value as Filters["role"] })}
      >
        <option value="">{texts.searchFilters.anybody}</option>
        <option value="user">{texts.searchFilters.me}</option>
        <option value="assistant">{texts.searchFilters.replies}</option>
      </select>
      {list.length > 1 && (
        <select
          aria-label={texts.searchFilters.agent}
          value={filters.agentId}
          onChange={({ target }) => onChange({ ...filters, agentId: target.value })}
        >
          <option value="">{texts.searchFilters.anyAgent}</option>
          {list.map(({ agent_id: id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      <select
        aria-label={texts.searchFilters.when}
        value={filters.days}
        onChange={({ target }) => onChange({ ...filters, days: Number(target.value) })}
      >
        <option value={0}>{texts.searchFilters.anyTime}</option>
        {choices.map((days) => (
          <option key={days} value={days}>
            {texts.searchFilters.lastDays(days)}
          </option>
        ))}
      </select>
    </div>
  );
}
