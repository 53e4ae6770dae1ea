import { latencyOf } from "../scenarios/latency.ts";
import type { Scenario } from "../scenarios/scenario.ts";

/** Inserts at an even pace, inside the server, which catches up by itself after a pause that was too long. */
const PROCEDURE = `
  create procedure commits(first bigint, total int, per_second double)
  begin
    declare i int default 0;
    declare began datetime(6) default sysdate(6);
    declare early double;
    while i < total do
      insert into entries values (first + i, sysdate(6), 'an entry of some length, as they are');
      set i = i + 1;
      set early = i / per_second - timestampdiff(microsecond, began, sysdate(6)) / 1000000;
      if early > 0 then do sleep(early); end if;
    end while;
  end`;

export const latency: Scenario = latencyOf({
  entries: "create table entries (id bigint primary key, at datetime(6) not null, label text);",
  procedure: PROCEDURE,
});
