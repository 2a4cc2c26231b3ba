import { capacityTables } from "./capacity-model.ts";

/** The calculation of docs/capacity.md, from the figures of the other benches. */
export async function showCapacity(): Promise<void> {
  const { measured, installations, large } = capacityTables();
  console.log([measured, installations, large].join("\n\n"));
}
