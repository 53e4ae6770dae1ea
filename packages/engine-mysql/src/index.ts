export { BinlogDecoder, type BinlogDecoderOptions } from "./binlog/binlog-decoder.ts";
export {
  BinlogStream,
  type BinlogBatch,
  type BinlogStreamOptions,
  type StreamStart,
} from "./binlog/binlog-stream.ts";
export { readCharsetTable, readCollations, type CharsetInfo, type RunQuery } from "./binlog/charset-query.ts";
export { Charsets, UnknownCharset } from "./binlog/charsets.ts";
export type { DecodedEvent, EventContent } from "./binlog/decoded-event.ts";
export type { Flavour } from "./flavour.ts";
