import { quote, range, type TypeCase } from "./type-case.fixture.ts";

const JSON_TEXTS: readonly string[] = [
  "null",
  "true",
  "false",
  "1",
  "-1",
  "1.0",
  "0.1",
  "-0.0",
  "1e300",
  "1e20",
  "1e16",
  "1e17",
  "1e-5",
  "999999999999999.9",
  "1e14",
  "1e15",
  "-1e-15",
  "9.99e-16",
  "1.5e-15",
  "1e-7",
  "123456789012345680",
  "100000000000000000000",
  "18446744073709551615",
  "-9223372036854775808",
  "9007199254740993",
  '"str"',
  '"é😀\\u0000\\u001f\\n\\"\\\\/\\b\\f\\r\\t\u007f"',
  '""',
  "[]",
  "{}",
  '[1,[2,{"a":null}]]',
  '{"a":1,"b":[true,false,null],"é":"x"}',
  '{"__proto__":1,"b":2}',
  '{"__proto__":{"x":1}}',
  '{"10":1,"9":2,"a":3}',
  "32767",
  "32768",
  "-32768",
  "-32769",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "[1.0,2.50,-0.0]",
  '{"d":1.0}',
  '{"":1}',
  "[".repeat(100) + "]".repeat(100),
];

export function jsons(): TypeCase[] {
  const built = [
    ...[127, 128, 129, 255, 256, 16383, 16384, 70000, 2100000].map(
      (count) => `json_quote(repeat('x', ${count}))`,
    ),
    "json_array(repeat('x', 70000), repeat('y', 70000), 1, 32768, 70000, -5000000, true, null, 18446744073709551615)",
    `concat('{"a":"', repeat('x', 66000), '","n":-70000,"u":4000000000,"s":5,"big":12345678901234567}')`,
    "json_object('d', cast('12.3400' as decimal(10,4)), 'neg', cast('-0.5' as decimal(3,1)))",
    "json_object('t', cast('2024-01-02 03:04:05.678901' as datetime(6)), 'd', cast('2024-01-02' as date), 'ti', cast('-12:34:56.7' as time(6)), 'y', cast(2024 as year))",
    "json_array(cast('-00:00:00.5' as time(6)), cast('838:59:59' as time), timestamp'2024-01-01 00:00:00', cast('-838:59:59.000000' as time(6)))",
    "json_object('b', _binary 0xFF00AA)",
    "cast(cast('99999999999999999999.5' as decimal(30,1)) as json)",
    "cast(cast(7 as unsigned) as json)",
    "json_array(b'101')",
    "cast(point(1,2) as json)",
    "cast(cast(0.1e0 as double) as json)",
    "json_object('f', cast(1.5 as float))",
  ];
  const doubles = range(300).map((number) => {
    const mantissa = ((number * 2_654_435_761) % 1_000_003) / 1_000_003 + 1;
    const power = number < 200 ? number * 3 - 300 : (number % 50) - 25;
    const value = number % 7 === 0 ? -(10 ** power) : mantissa * 10 ** power;
    return `cast(${value.toExponential()} as json)`;
  });
  return [
    {
      ddl: "json",
      nativeType: "json",
      type: "json",
      compare: "string",
      values: [...JSON_TEXTS.map(quote), ...built, ...doubles],
    },
  ];
}
