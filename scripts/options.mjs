/** What a script was asked for: plain JavaScript without dependencies, since scripts run on a clone that has none. */
import { parseArgs } from "node:util";

const WRONG_OPTIONS = 2;

/**
 * The options as `read` makes them of `values` and `positionals`; it throws, in words, at what is wrong. `--help` prints
 * the help and ends this process; so does what is wrong, with exit status 2 and the help behind it.
 */
export function readOptions(help, config, read) {
  try {
    const { values, positionals } = parseArgs({
      ...config,
      options: { ...config.options, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) {
      process.stdout.write(help);
      process.exit(0);
    }
    return read(values, positionals);
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${help}`);
    process.exit(WRONG_OPTIONS);
  }
}

/** A whole number of 1 or more, as text. */
export function count(name, text) {
  if (text === undefined) throw new Error(`--${name} is missing`);
  if (/^[1-9]\d{0,8}$/.test(text)) return text;
  throw new Error(`--${name} ${text} is not a whole number of 1 or more`);
}

/** As it is to be repeated; undefined where none was given. */
export function seedOf(text) {
  if (text === undefined || /^\d{1,10}$/.test(text)) return text;
  throw new Error(`--seed ${text} is not a number as a former run printed it`);
}

export function oneOf(name, text, known) {
  if (text === undefined || known.includes(text)) return text;
  throw new Error(`--${name} ${text} is not ${known.join(" or ")}`);
}

/** Of a script that writes a page: whether it is only to be compared with what it would write. */
export function isCheck(command, page) {
  const help = `usage: npm run ${command} [-- --check]

Writes ${page} from the code.

  --check   writes nothing, and fails when it is another
  --help    this

Exit code: 0 when it is as the code says, 1 when not, 2 for wrong options.
`;
  return readOptions(help, { options: { check: { type: "boolean", default: false } } }, ({ check }) => check);
}
