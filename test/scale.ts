/** Large tests run at a tenth of their size; `npm run test:faults` sets 10 and runs them whole. */
export const SCALE: number = Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
