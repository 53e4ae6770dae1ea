/* Values of every type, for whatever carries values. */

/** A type as a column has it, and texts of values that have been lost on one road or another. */
export const CORPUS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["boolean", ["t", "f"]],
  ["smallint", ["-32768", "32767"]],
  ["integer", ["-2147483648", "2147483647"]],
  ["bigint", ["-9223372036854775808", "9223372036854775807", "9007199254740993"]],
  ["real", ["1e-45", "3.4028235e38", "NaN", "-Infinity", "-0", "0.1"]],
  ["double precision", ["5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-0", "0.30000000000000004"]],
  ["numeric", ["NaN", "Infinity", "-Infinity", "1.10", `${"9".repeat(500)}.${"1".repeat(300)}`, "0.000"]],
  ["numeric(10,2)", ["99999999.99", "-0.01"]],
  ["numeric(3,-2)", ["12300"]],
  ["money", ["-12.34", "92233720368547758.07"]],
  [
    "text",
    ["", " ", "NULL", "null", '"', "\\", "\\N", "{a,b}", "a\tb\nc\rd", "ß😀e\u0301", "x".repeat(9_000)],
  ],
  ["character(5)", ["ab", "", "abcde"]],
  ["character varying(3)", ["", "ab ", "😀😀😀"]],
  ['"char"', ["a", "", "\\200"]],
  ["name", ["some name"]],
  ["bytea", ["\\x", "\\x00ff5c2227", "\\xdeadbeef"]],
  ["date", ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-29"]],
  ["time", ["24:00:00", "00:00:00.000001", "23:59:59.999999"]],
  ["time(0)", ["23:59:59"]],
  ["time with time zone", ["12:34:56.789+05:30", "24:00:00-15:59:59"]],
  ["timestamp", ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"]],
  ["timestamp with time zone", ["infinity", "2024-03-31 02:30:00.000001+02", "0001-01-01 00:00:00+00 BC"]],
  [
    "interval",
    ["-1 year 2 mons -3 days 04:05:06.789", "178000000 years", "-00:00:00.000001", "1 mon -1 day"],
  ],
  ["interval day to second(3)", ["3 days 04:05:06.789"]],
  ["uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  ["json", ['{"a":1,"a":2, "b": 12345678901234567890}', "null", '"\\u0041"', " [1 ,2 ] "]],
  ["jsonb", ['{"b": 1.10, "a": [null, "\\\\", "\\""]}', "null", '""']],
  ["xml", ['<a b="c">d &amp; e</a>']],
  ["bit(3)", ["101", "000"]],
  ["bit varying(5)", ["", "10101"]],
  ["inet", ["192.168.0.1/24", "::ffff:1.2.3.4", "10.0.0.1"]],
  ["cidr", ["10.0.0.0/8"]],
  ["macaddr", ["08:00:2b:01:02:03"]],
  ["point", ["(1.5,-0)", "(NaN,Infinity)"]],
  ["box", ["(3,4),(1,2)"]],
  ["path", ["[(1,2),(3,4)]", "((1,2),(3,4))"]],
  ["polygon", ["((0,0),(1,1),(2,0))"]],
  ["tsvector", ["'a':1A 'b c':2,3B '\\\\':4"]],
  ["tsquery", ["'a' & !'b c':*A"]],
  ["int4range", ["empty", "[1,5)", "(,)", "[3,)"]],
  ["tstzmultirange", ["{}", '{["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")}']],
  ["pg_lsn", ["16/B374D848"]],
  ["oid", ["4294967295"]],
  ["regclass", ["pg_catalog.pg_class"]],
  ["regtype", ["public.mood", "integer[]"]],
  ["integer[]", ["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[-1:1]={7,8,9}"]],
  ["text[]", ['{NULL,"NULL","",a,"\\"","\\\\","{x}","a,b"," c "}', "{}"]],
  ["numeric(5,1)[]", ["{1.1,NaN,-999.9}"]],
  ["jsonb[]", ['{"{\\"a\\": 1}",NULL}']],
  ["character varying(3)[]", ['{abc,""}']],
  ["mood", ["happy", "so, so", 'it\'s \\ "quoted"']],
  ["mood[]", ['{happy,"so, so",NULL}']],
  ["pair", ['(1,"a,b")', "(,)", '(,"")', '(2,"""\\\\")']],
  ["pair[]", ['{"(1,\\"a,b\\")",NULL}', "{}"]],
  ["positive", ["7"]],
  ["short", ["abc", ""]],
  ["list", ["{1,NULL}", "{}", "{{1},{2}}"]],
  ["list[]", ['{"{1,2}","{}",NULL}']],
  ["twin", ["(1,x)", "(,)"]],
  ["floats", ["[1.1,1.2)"]],
  ["citext", ["Straße", ""]],
  ["citext[]", ["{A,b}"]],
  ["hstore", ['"a"=>"1", "b c"=>NULL, "q"=>"\\""']],
  ["hstore[]", ['{"\\"a\\"=>\\"1\\"",NULL}']],
  ["lseg", ["[(1,2),(3,4)]"]],
  ["line", ["{1,-1,0}"]],
  ["circle", ["<(1,2),3>"]],
  ["macaddr8", ["08:00:2b:01:02:03:04:05"]],
  ["jsonpath", ['$."a"[*]?(@ > 1)']],
  ["pg_snapshot", ["10:20:10,14,15"]],
  ["xid8", ["18446744073709551615"]],
  ["boolean[]", ["{t,f,NULL}"]],
  ["bytea[]", ['{"\\\\x00ff","\\\\x",NULL}']],
  ["uuid[]", ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]],
  ["timestamp with time zone[]", ['{"2024-02-29 12:00:00.000001+00",infinity}']],
  ["interval[]", ['{"1 mon -1 days","-00:00:01"}']],
  ["inet[]", ["{10.0.0.1,192.168.0.1/24}"]],
  ["point[]", ['{"(1.5,2)",NULL}']],
  ["int8range", ["[-9223372036854775808,9223372036854775807)", "empty"]],
  ["numrange", ["(1.10,2.200]", "(,)"]],
  ["tsrange", ['["2024-01-01 00:00:00",infinity)']],
  ["daterange", ["[2024-01-01,2024-02-01)", "(,2024-01-01)"]],
  ["tstzrange[]", ['{"[\\"2024-01-01 00:00:00+00\\",)",empty,NULL}']],
  ["int4multirange", ["{[1,3),[5,9)}", "{}"]],
  ["nummultirange[]", ['{"{[1.1,2.20)}",NULL}']],
  ["floats_multirange", ["{[1.1,1.2),[2,3)}", "{}"]],
  ["floats[]", ['{"[1.1,1.2)",empty}']],
  ["mood_range", ['[happy,"so, so"]']],
  ["short[]", ['{abc,"",NULL}']],
  ["positive[]", ["{1,2147483647}"]],
  ["cheerful", ["happy"]],
  ["tagged", ['(happy,"[1.1,1.2)","{happy,\\"so, so\\"}","(1,ab)")', "(,,,)"]],
  ["tagged[]", ['{"(happy,empty,{},)",NULL}']],
];

/** Those of the corpus that are not the server's own. */
export const TYPES = `
  create extension citext; create extension hstore;
  create type mood as enum ('happy', 'so, so', 'it''s \\ "quoted"');
  create type pair as (a int, b varchar(3));
  create domain positive as int check (value > 0);
  create domain short as varchar(3);
  create domain list as int[];
  create domain twin as pair;
  create type floats as range (subtype = float8, multirange_type_name = floats_multirange);
  create type mood_range as range (subtype = mood);
  create domain cheerful as mood check (value = 'happy');
  create type tagged as (m mood, f floats, ms mood[], p pair);`;

/** Types without the order that a key needs. */
export const NO_KEYS: ReadonlySet<string> = new Set(
  "json xml point box path polygon lseg line circle jsonpath pg_snapshot point[]".split(" "),
);

export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
