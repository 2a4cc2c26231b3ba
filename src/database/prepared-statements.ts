import type { Queryable } from "./database.ts";
import { messages, parse, protocol, type PGlite, type Results } from "@electric-sql/pglite";

const { serialize } = protocol;

/** A statement that the database has parsed. */
interface Prepared {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  /** What its rows look like; null: it has none. */
  readonly columns: messages.RowDescriptionMessage | null;
}

/**
 * Statements of the embedded database, run by one call into it instead of six. Those with parameters are parsed and
 * planned once instead of each time; SQL texts are constants, so there are few.
 */
export function createPreparedStatements(client: PGlite) {
  const known = new Map<string, Prepared>();

  /** One call. Raises what the database says. */
  const send = async (...parts: readonly Uint8Array[]): Promise<messages.BackendMessage[]> => {
    const answer = await client.execProtocol(Buffer.concat([...parts, serialize.sync()]));
    return answer.messages;
  };

  const prepare = async (sql: string): Promise<Prepared> => {
    const name = `s${known.size}`;
    const answer = await send(
      serialize.parse({ name, text: sql }),
      serialize.describe({ type: "S", name }),
    );
    const prepared: Prepared = {
      name,
      parameterTypes: parse.parseDescribeStatementResults(answer),
      columns: answer.find((message) => message instanceof messages.RowDescriptionMessage) ?? null,
    };
    known.set(sql, prepared);
    return prepared;
  };

  const asked = ({ name, parameterTypes }: Prepared, params: readonly unknown[]) => {
    const values = params.map((value, index) => {
      if (value === null || value === undefined) return null;
      const serialized = client.serializers[parameterTypes[index] ?? 0]?.(value);
      return serialized ?? String(value);
    });
    return [serialize.bind({ statement: name, values }), serialize.execute()];
  };

  const resultOf = ({ columns }: Prepared, answer: readonly messages.BackendMessage[]) => {
    const described = columns === null ? [...answer] : [columns, ...answer];
    return parse.parseResults(described, client.parsers)[0] as Results<object>;
  };

  return {
    /** Within the transaction that is open, if one is. */
    query: <R extends object>(sql: string, params: readonly unknown[]): Promise<Results<R>> =>
      client.runExclusive(async () => {
        if (params.length === 0) {
          const { parse: read, bind, describe, execute } = serialize;
          const answer = await send(
            read({ text: sql }),
            bind(),
            describe({ type: "P" }),
            execute(),
          );
          return parse.parseResults(answer, client.parsers)[0] as Results<R>;
        }
        const prepared = known.get(sql) ?? (await prepare(sql));
        return resultOf(prepared, await send(...asked(prepared, params))) as Results<R>;
      }),

    /** As one transaction of their own, and one call. */
    together: (
      statements: readonly Parameters<Queryable["query"]>[],
    ): Promise<readonly Results<object>[]> =>
      client.runExclusive(async () => {
        const prepared: Prepared[] = [];
        for (const [sql] of statements) prepared.push(known.get(sql) ?? (await prepare(sql)));
        const answer = await send(
          ...prepared.flatMap((each, index) => asked(each, statements[index]?.[1] ?? [])),
        );
        return prepared.map((each) => {
          const end = answer.findIndex(({ name }) => name === "commandComplete") + 1;
          return resultOf(each, answer.splice(0, end));
        });
      }),
  };
}
