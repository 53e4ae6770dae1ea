import { z } from "zod";
import { configSchema } from "./config-schema.ts";

/** For editors; the file's own shape, before defaults and references are filled in. */
export function configJsonSchema(): unknown {
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
  return { ...schema, title: "lockstep.yaml" };
}
