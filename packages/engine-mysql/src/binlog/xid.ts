/** As the server writes an XA transaction's name in statements: `X'6774',X'62',1`. */
export function xaName(gtrid: Buffer, bqual: Buffer, formatId: number): string {
  return `X'${gtrid.toString("hex")}',X'${bqual.toString("hex")}',${formatId}`;
}
