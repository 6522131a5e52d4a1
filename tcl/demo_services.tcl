# demo_services.tcl: the steps of the demo's walk through what runs beside a
# database elsewhere: jobs, a key-value store, streams, statistics, the doctor.
#
# A set whose tables are something else in a foreign database is left out, and
# the steps that need it are skipped.

# Is the set in this walk's database?  If not, the steps of title are skipped.
proc demo::has_set {set title} {
  variable sets
  if {$set in $sets} { return 1 }
  skip $title "tables of set $set are something else in this database."
  return 0
}

proc demo::walk_jobs {} {
  variable output
  variable names
  section "Jobs with leases"
  if {![has_set jobs Jobs]} return
  step "Put jobs into a queue" \
      "By INSERT, in the transaction of the rows they are about, or one by one\
       with options." {
        INSERT INTO job_queue(queue, payload, priority)
        SELECT '@tag', name, min(kb, 9) FROM @items ORDER BY kb DESC, name
         LIMIT 4;
        SELECT job_enqueue('@tag', 'urgent',
                 '{"priority":1000000,"max_attempts":1}') > 0 AS enqueued;
        SELECT state, count(*) AS jobs FROM job_queue
         WHERE queue = '@tag' GROUP BY state;
      } {{enqueued\s+-+\s+1} {ready\s+5}}
  step "A worker claims two of them" \
      "By priority, for a minute; the receipt names the job and the attempt." {
        SELECT payload, attempt, receipt FROM job_claimed(
          (SELECT job_claim('@tag', 'worker-1',
                            '{"max_rows":2,"lease":"1m"}')));
      } {{urgent\s+1\s+\d+-\d+} {(?n)^\S.*\s1\s+\d+-\d+$}}
  if {[failed]} return
  lassign [regexp -all -inline {\d+-\d+} $output] urgent other
  lappend names @urgent $urgent @other $other
  step "One is done, one fails" \
      "The urgent one had a single attempt: it is dead, with the reason." {
        SELECT job_complete('@other', 'sent') AS completed;
        SELECT job_fail('@urgent', 'no such address') AS failed;
        SELECT state, attempt, error FROM job_queue
         WHERE queue = '@tag' AND state IN ('done', 'dead') ORDER BY state;
      } {{completed\s+-+\s+1} {dead\s+1\s+\S.*no such address} {done\s+1}}
  step "A worker that comes too late" \
      "A receipt works once: nothing changes, and the worker is told." {
        SELECT job_complete('@urgent', 'sent after all');
      } {{LEASE_LOST: job_complete: }} -error 1
}

proc demo::walk_store {} {
  section "A key-value store"
  if {![has_set storage "A key-value store"]} return
  step "Values with revisions" \
      "if_revision refuses to overwrite what somebody else has changed." {
        SELECT store_put('@tag', 'theme', '{"dark":true}') > 0 AS put;
        INSERT INTO store_records(namespace, key, value)
        SELECT '@tag', 'item-' || row_number() OVER (ORDER BY name),
               json_quote(name)
          FROM @items ORDER BY name LIMIT 5;
        SELECT store_get('@tag', 'theme') ->> 'dark' AS dark,
               (SELECT count(*) FROM store_list('', '', '@tag')) AS records;
        SELECT store_put('@tag', 'theme', '{}', '{"if_revision":1000000}');
      } {{put\s+-+\s+1} {dark\s+records\n-+\s+-+\n1\s+6}
         {REVISION_MISMATCH: store_put: }} -error 1
}

proc demo::walk_stream {} {
  section "A stream of changes"
  if {![has_set streaming "A stream of changes"]} return
  step "Follow a table" \
      "Plain-SQL triggers: writers without the library are followed, too." {
        SELECT stream_attach('@cache') AS attached;
        UPDATE @cache SET kb = kb + 1
         WHERE name IN (SELECT name FROM @cache ORDER BY name LIMIT 2);
        DELETE FROM @cache
         WHERE name = (SELECT max(name) FROM @cache);
        SELECT change_type, row ->> 'kb' IS NOT NULL AS has_row
          FROM stream_changes('@cache', NULL,
                 (SELECT from_position FROM stream_status
                   WHERE table_name = '@cache'));
        SELECT stream_detach('@cache') AS detached;
      } {{attached\s+-+\s+1} {updated\s+1\nupdated\s+1\ndeleted\s+0}
         {detached\s+-+\s+1}}
}

proc demo::walk_statements {} {
  section "What statements cost"
  step "Statement statistics" \
      "Statements that differ in their literals only are one; the names are\
       those of pg_stat_statements." {
        SELECT perf_trace('full') AS tracing;
        SELECT count(*) AS larger FROM @items WHERE kb > 100;
        SELECT count(*) AS larger FROM @items WHERE kb > 900;
        SELECT calls, rows, query FROM perf_statements
         WHERE query LIKE '%AS larger%';
      } {{tracing\s+-+\s+1} {2\s+2\s+SELECT count\(\*\) AS larger.*kb > \?}}
  step "A plan before it runs" \
      "perf_plan says where a statement reads a whole table." {
        SELECT detail, full_scan, temp_btree
          FROM perf_plan('SELECT name FROM @items ORDER BY kb + 1');
      } {{SCAN\s.*1\s+0} {TEMP B-TREE\s.*1}}
  step "A report to look at" \
      "One HTML page that needs no network: here only whether it is one." {
        SELECT steward_report() LIKE '<!DOCTYPE html>%</html>%' AS a_page,
               perf_export('openmetrics') LIKE '%# EOF%' AS metrics;
      } {{a_page\s+metrics\n-+\s+-+\n1\s+1}}
}

proc demo::walk_doctor {} {
  section "The doctor"
  step "What is wrong, and the SQL that mends it" \
      "An index that another one makes superfluous, say." {
        CREATE INDEX @tag_kb ON @cache(kb);
        CREATE INDEX @tag_kb_name ON @cache(kb, name);
        SELECT severity, sql FROM steward_doctor
         WHERE finding = 'duplicate_index' AND sql LIKE '%@tag%';
      } {{advice\s+DROP INDEX "main"\."@tag_kb"}}
  step "Run it, and the finding is gone" \
      "steward_doctor is empty when all is well." {
        DROP INDEX "main"."@tag_kb";
        SELECT count(*) AS findings FROM steward_doctor
         WHERE finding = 'duplicate_index' AND sql LIKE '%@tag%';
      } {{findings\s+-+\s+0}}
}
