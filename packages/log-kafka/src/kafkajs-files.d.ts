/* Files of kafkajs 2.2.4 that its index does not name; they have no types, and are looked at before they are used. */
declare module "kafkajs/src/network/requestQueue/index.js" {
  const requestQueue: unknown;
  export = requestQueue;
}
declare module "kafkajs/src/protocol/error.js" {
  const protocolErrors: unknown;
  export = protocolErrors;
}
