/** Large tests run at a tenth of their size; `LOCKSTEP_TEST_SCALE=10` runs them whole. */
export const SCALE: number = Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
