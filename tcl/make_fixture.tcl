# make_fixture.tcl: the database of this version, for tests/fixtures/.
#
#   tclsh tcl/make_fixture.tcl steward.so tests/fixtures
#
# Made once, before a version is released, and never again: later libraries
# open it and upgrade it (tests/fixtures.test). Every set is installed, every
# table of a set has rows, and a table of the application has Steward's
# triggers on it. With the clock pinned the file is the same on every run but
# for the times that plain SQL puts in by default.

package require sqlite3
source [file join [file dirname [info script]] steward.tcl]
lassign $argv so directory

sqlite3 db :memory:
steward::load db -library $so
set version [db one {SELECT steward_version()}]
db close
file mkdir $directory
set file [file join $directory steward-$version.db]
if {[file exists $file]} {
  puts stderr "$file exists: a released version's database does not change"
  exit 1
}

sqlite3 db $file
db eval {PRAGMA page_size = 1024}
steward::load db -library $so
steward::pin db 1700000000000
db eval {SELECT migrate_up('all')}
db eval {SELECT steward_clock(1700000000000, '{"database":true}')}
db transaction {
  # core: settings, the log, expiry, migrations of the application
  db eval {
    SELECT steward_setting('log_max_rows', 5000);
    SELECT delivery_subscribe('mailer', 'mail');
    SELECT delivery_subscribe('slow', 'mail', '{"max_pending":3}');
    SELECT delivery_subscribe('mailer', 'news');
    SELECT delivery_publish('mail', 'message ' || value)
      FROM json_each('[1,2,3,4,5,6,7,8]');
    INSERT INTO steward_log(topic, payload) VALUES ('news', 'by plain SQL');
    INSERT INTO delivery_queue(topic, payload, key, headers)
    VALUES ('mail', x'00ff', 'u:1', '{"n":1}'), ('mail', 2.5, 'u:2', NULL);
    SELECT delivery_subscribe('auditor', 'doc:*', '{"policy":"coalesce"}');
    SELECT delivery_subscribe('all', '*');
    SELECT delivery_subscribe('strict', 'doc:1', '{"policy":"reject"}');
    SELECT delivery_publish('doc:1', 'first', '{"key":"k"}'),
           delivery_publish('doc:1', 'second', '{"key":"k"}');
    SELECT delivery_ack('mailer', 3);
    DELETE FROM steward_log WHERE position = 1;

    CREATE TABLE app_sessions(id INTEGER PRIMARY KEY, user TEXT,
                              expires_at INTEGER);
    INSERT INTO app_sessions VALUES (1, 'ada', 1600000000),
      (2, 'bob', 4000000000), (3, 'eve', NULL);
    SELECT ttl_attach('app_sessions', 'expires_at', '{"unit":"s"}');

    SELECT migrate_define('shop', 1, 'orders',
      'CREATE TABLE orders(id INTEGER PRIMARY KEY, total REAL NOT NULL)',
      'DROP TABLE orders');
  }
  # maintenance
  db eval {
    INSERT INTO sqlite_pool_config(db_path, max_connections) VALUES ('app', 5);
    INSERT INTO sqlite_vacuum_log(db_path, vacuum_type, status, started_ts)
    VALUES ('app', 'full', 'completed', '2023-11-14 00:00:00');
    INSERT INTO sqlite_health_checks(db_path, check_type, status)
    VALUES ('app', 'integrity', 'healthy');
    SELECT perf_record('checkout_ms', 12.5, '{"unit":"ms"}');
    SELECT perf_baseline();
  }
}
db eval {SELECT migrate_up('shop')}
db eval {INSERT INTO orders VALUES (1, 9.5)}

# What has to agree between tables.
db transaction {
  db eval {
    INSERT INTO am_branches(branch_id, doc_id, name) VALUES ('b1', 'd1', 'main');
    INSERT INTO am_change_blobs VALUES (x'aa', 'first'), (x'bb', 'second');
    INSERT INTO am_change_index(doc_id, branch_id, seq_no, change_hash,
                                bytes_hash, deps_json, actor_id, lamport)
    VALUES ('d1', 'b1', 1, 'h1', x'aa', '[]', 'actor', 1),
           ('d1', 'b1', 2, 'h2', x'bb', '["h1"]', 'actor', 2);
    INSERT INTO am_heads(branch_id, heads_json, seq_no)
    VALUES ('b1', '["h2"]', 2);
    INSERT INTO am_branches(branch_id, doc_id, name, parent_branch_id)
    VALUES ('b2', 'd1', 'draft', 'b1');
    INSERT INTO am_heads(branch_id, heads_json, seq_no)
    VALUES ('b2', '["h2"]', 0);
    INSERT INTO am_forks VALUES ('b2', 2);

    INSERT INTO ext_storage_records(tenant, extension_install_id, namespace,
      key, value, value_size_bytes, metadata_size_bytes, ttl_expires_at,
      created_at, updated_at)
    VALUES ('t1', 'i1', 'n', 'k1', '{"a":1}', 7, 2, NULL, 1, 1),
           ('t1', 'i1', 'n', 'k2', '[]', 2, 2, 1600000000000, 1, 1);

    INSERT INTO assistly_approvals(id, status, payload)
    VALUES ('a1', 'pending', '{"amount":5}');
    INSERT INTO streaming_performance_log
    VALUES (x'01', x'02', 'snapshot', 'http', 10, 3, 1700000000, NULL);

    INSERT INTO workspaces(id, name) VALUES (zeroblob(16), 'w');
    INSERT INTO http(id, workspace_id, name, url, method)
    VALUES (zeroblob(16), zeroblob(16), 'base', 'https://example.org/', 'GET');
    INSERT INTO http(id, workspace_id, name, url, method, parent_http_id,
                     is_delta, delta_method)
    VALUES (x'02', zeroblob(16), 'base', '', '', zeroblob(16), TRUE, 'POST');
  }
}

# A row in each table that has none yet, parents before children.
proc value_for {name type} {
  if {$type eq "BLOB"} { return zeroblob(16) }
  if {[string match *INT* $type]} { return 1700000000000 }
  if {$type eq "REAL"} { return 1.0 }
  if {[string match *json* $name]
      || $name in {deps payload session value schema_document options}} {
    return "'{}'"
  }
  if {$name eq "status"} { return "'scheduled'" }
  return "'$name'"
}
proc fill {table} {
  set names {}
  set values {}
  foreach {name type notnull default} [db eval {
    SELECT name, type, "notnull", dflt_value FROM pragma_table_info($table)
  }] {
    if {!$notnull || $default ne ""} continue
    lappend names "\"$name\""
    lappend values [value_for $name $type]
  }
  db eval "INSERT INTO \"$table\"([join $names ,]) VALUES([join $values ,])"
}
set left {}
for {set round 0} {$round < 3} {incr round} {
  set left {}
  foreach table [db eval {
    SELECT name FROM sqlite_schema WHERE type = 'table'
       AND name NOT LIKE 'sqlite%' AND name <> 'steward_counters'
     ORDER BY rowid
  }] {
    if {[db exists "SELECT 1 FROM \"$table\""]} continue
    if {[catch {fill $table} message]} { lappend left "$table: $message" }
  }
  if {![llength $left]} break
}
if {[llength $left]} {
  puts stderr "no row for:\n  [join $left "\n  "]"
  file delete $file
  exit 1
}
db eval {INSERT INTO steward_counters(name, value) VALUES ('fixture', 1)}
set bad [db eval {
  SELECT set_name, check_name, violations, error FROM contract_checks
   WHERE NOT ok
}]
if {[llength $bad]} {
  puts stderr "contracts: $bad"
  file delete $file
  exit 1
}
db eval {PRAGMA journal_mode = DELETE; VACUUM}
puts "$file: [file size $file] bytes, [db one {
  SELECT count(*) FROM sqlite_schema WHERE type = 'table'}] tables"
db close
