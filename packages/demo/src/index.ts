export { main, type MainOptions } from "./main.ts";
export type { DemoOptions, DemoResult } from "./demo.ts";
