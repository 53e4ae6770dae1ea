export { main, type MainOptions } from "./main.ts";
export type { BenchOptions } from "./bench.ts";
export type { BenchResult } from "./result.ts";
