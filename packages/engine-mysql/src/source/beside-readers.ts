import type { ConnectionOptions } from "mysql2";
import type { BinlogDecoderOptions } from "../binlog/binlog-decoder.ts";
import { BinlogStream } from "../binlog/binlog-stream.ts";
import { besideDecoder } from "./decoder-options.ts";
import type { LogReaders } from "./prepared-reader.ts";
import { besideIdOf } from "./server-id.ts";

/** Of a pipeline's own number for them: one at a time. */
export function besideReaders(
  reader: { readonly connection: ConnectionOptions; readonly place: string },
  pipeline: string,
  options: BinlogDecoderOptions,
): LogReaders {
  const serverId = besideIdOf(pipeline);
  return {
    open: (withRows) => new BinlogStream({ ...reader, serverId, decoder: besideDecoder(options, withRows) }),
  };
}
