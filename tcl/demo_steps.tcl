# demo_steps.tcl: the steps of the demo's walk, in their order.
#
# @items is a table with a column name, @tag a word that nothing in the
# database uses; see choose_names in demo_data.tcl.

proc demo::walk {} {
  variable origin
  puts [paint bold "Steward: a walk in the sqlite3 shell"]
  print_prose "The database is $origin." ""
  print_prose "Each step is a sqlite3 shell of its own on that file." ""
  foreach part {database loading switch} {
    walk_$part
    if {[failed]} {
      print_prose "The rest of the walk needs this, so it ends here." "   "
      walk_source
      return
    }
  }
  walk_deltas
  walk_expiry
  walk_measurements
  walk_health
  walk_delivery
  walk_jobs
  walk_store
  walk_stream
  walk_statements
  walk_doctor
  walk_help
  walk_without
  walk_uninstall
  walk_source
}

# -------------------------------------------------------------- the database

proc demo::walk_database {} {
  variable strict
  section "The database"
  step "An ordinary SQLite database" \
      "Read without the library; nothing of Steward is in it." {
        @verify
        @content
      } {{integrity_check\s+-+\s+ok\M} {kb\M}} -library 0 \
      -foreign {{(integrity_check\s+-+\s+ok|page_count\s+-+\s+[1-9])}}
  if {$strict} return
  step "Some rows of the demo's own" \
      "The walk works on names; here it makes a table of them." {
        CREATE TABLE @items(name TEXT PRIMARY KEY, kb INTEGER NOT NULL);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                                 WHERE i < 500)
        INSERT INTO @items
        SELECT printf('item %d', i), i * 37 % 1000 FROM n;
        SELECT count(*) AS items FROM @items;
      } {500} -library 0
}

proc demo::walk_loading {} {
  variable so
  section "Loading"
  set shown [relative $so]
  step "Load the library" \
      "It registers functions and tables and does nothing else; every step\
       below begins with this line." {
        SELECT steward_version();
        SELECT count(*) AS tables_made FROM sqlite_schema
         WHERE name LIKE 'steward%';
      } {{[0-9]+\.[0-9]+\.[0-9]+} {tables_made\s+-+\s+0}} \
      -foreign {{[0-9]+\.[0-9]+\.[0-9]+} {tables_made}} -shown ".load $shown
SELECT steward_version();
SELECT count(*) AS tables_made FROM sqlite_schema
 WHERE name LIKE 'steward%';"
  step "What it found here" \
      "Versions, how this SQLite was built, what is installed or pinned." {
        SELECT key, value FROM json_each(steward_info())
         WHERE type <> 'object';
      } {{steward\s+[0-9]+\.[0-9]+} {sqlite\s+3\.} {read_only\s+0}}
}

# A path as it is typed from here.
proc demo::relative {path} {
  set here [file normalize .]/
  if {[string first $here $path] == 0} {
    return [string range $path [string length $here] end]
  }
  return $path
}

# ----------------------------------------------------------------- the switch

# The sets that go into this database; not one that meets tables of the same
# name that are something else.
proc demo::choose_sets {} {
  variable strict
  variable sets {maintenance delivery http jobs storage streaming}
  if {$strict} return
  set sets [lmap set $sets {
    lassign [shell "BEGIN; SELECT migrate_up('$set'); ROLLBACK;"] code text
    if {$code && $set ni {maintenance delivery}} continue
    set set
  }]
}

proc demo::walk_switch {} {
  variable sets
  variable names
  section "The switch"
  choose_sets
  lappend names @sets \
      "\[[join [lmap set $sets {format {"%s"} $set}] ,]\]"
  step "Switch it on" \
      "Installs sets of tables, and says what this version leaves to you." {
        SELECT steward_on('{"sets":
 @sets}');
      } {{"steps":} {"sets":} {"cannot":}} -mode list -headers off
  step "What has been migrated" \
      "One row per step; migrate_down takes steps back." {
        SELECT set_name, version, name, state, drift FROM migrate_status
         WHERE state = 'applied';
      } {{core\s+1\s+core\s+applied\s+0} {maintenance\s+1} {delivery\s+1}}
  step "What must hold between the tables" \
      "contract_checks runs a query per rule; 0 violations is right." {
        SELECT set_name, count(*) AS checks, sum(violations) AS violations
          FROM contract_checks GROUP BY set_name;
      } {{maintenance\s+[1-9]+\s+0} {!(?n)^\S+\s+[0-9]+\s+[1-9]}} \
      -foreign {{maintenance\s+[1-9]+\s+0}}
  step "Upkeep by one call" \
      "What is due is done, here within ten seconds; steward_on has started a\
       thread that does the same, in small steps, while a connection is open." {
        SELECT steward_tick('10s') -> '$.enabled' AS enabled;
        SELECT duty, runs_total AS runs FROM keeper_duties
         WHERE duty IN ('health', 'optimize') ORDER BY duty;
      } {{enabled\s+-+\s+1} {health\s+[1-9]} {optimize\s+[1-9]}} \
      -foreign {{enabled\s+-+\s+[01]}}
}

# ------------------------------------------------------------------- overlays

proc demo::walk_deltas {} {
  variable sets
  section "Overlays: base rows and sparse deltas"
  if {"http" in $sets} {
    make_http
  } else {
    make_requests
  }
  step "A base reads as itself" \
      "delta_resolve gives a row as JSON; here as a table." {
        SELECT key, value
          FROM json_each(delta_resolve('@http', '@tag-1'))
         WHERE key IN ('id', 'name', 'method', 'url', 'source');
      } {{method\s+GET} {source\s+@tag-1\M}}
  step "A chain of three deltas reads as one row" \
      "From the base down: NULL inherits, '' is a value, the identity is the\
       base's, source names the row asked for." {
        SELECT key, value
          FROM json_each(delta_resolve('@http', '@tag-c'))
         WHERE key IN ('id', 'name', 'method', 'url', 'description',
                       'source');
      } {{id\s+@tag-1\M} {method\s+POST} {url\s+https://staging\.}
         {description\s*\n} {source\s+@tag-c\M}}
  step "All of them at once, resolved" \
      "What a row costs is the depth of its chain, not the table's size." {
        SELECT r ->> 'method' AS method, count(*) AS requests
          FROM (SELECT delta_resolve('@http', id) AS r
                  FROM @http WHERE id LIKE '@tag-%')
         GROUP BY 1;
      } {{GET\s+[0-9]+} {POST\s+2}}
  step "A circle is refused by name, never a hang" \
      "An error says what is wrong, with the value, and the way out." {
        BEGIN;
        UPDATE @http SET @parent = '@tag-c' WHERE id = '@tag-a';
        SELECT delta_resolve('@http', '@tag-c');
      } {{CONFLICT: delta_resolve: .*'@tag-c' -> '@tag-b' -> '@tag-a'}} -error 1
}

proc demo::make_http {} {
  variable names
  lappend names @http http @parent parent_http_id
  step "A workspace of HTTP requests" \
      "A request per item; three deltas, each on top of the one before." {
        INSERT INTO workspaces(id, name) VALUES ('@tag', 'Demo');
        INSERT INTO http(id, workspace_id, name, url, method, description)
        SELECT '@tag-' || row_number() OVER (ORDER BY kb DESC, name),
               '@tag', name, 'https://api.example/' || name, 'GET',
               'about ' || name
          FROM @items ORDER BY kb DESC, name LIMIT 200;
        INSERT INTO http(id, workspace_id, name, url, method, is_delta,
          parent_http_id, delta_url, delta_method, delta_description)
        VALUES ('@tag-a', '@tag', '', '', '', 1, '@tag-1',
                'https://staging.example/', NULL, NULL),
               ('@tag-b', '@tag', '', '', '', 1, '@tag-a',
                NULL, 'POST', NULL),
               ('@tag-c', '@tag', '', '', '', 1, '@tag-b',
                NULL, NULL, '');
        INSERT INTO http_header(id, http_id, header_key, header_value)
        VALUES ('@tag-h', '@tag-1', 'Accept', 'text/html');
        INSERT INTO http_header(id, http_id, header_key, header_value,
          is_delta, parent_header_id, delta_header_value)
        VALUES ('@tag-i', '@tag-a', '', '', 1, '@tag-h',
                'application/json');
        SELECT is_delta, count(*) AS requests FROM http
         WHERE workspace_id = '@tag' GROUP BY is_delta;
      } {{0\s+[0-9]+} {1\s+3}}
  step "Headers have overlays, too" \
      "The tables of a request's parts follow the same convention." {
        SELECT key, value
          FROM json_each(delta_resolve('http_header', '@tag-i'))
         WHERE key IN ('header_key', 'header_value', 'enabled', 'source');
      } {{header_key\s+Accept} {header_value\s+application/json}}
}

# The database has tables of these names that are something else.
proc demo::make_requests {} {
  variable names
  lappend names @http [dict get $names @request] @parent parent_id
  step "Set http does not go into this database" \
      "Tables of its names are something else here; each difference is listed,\
       nothing was changed." {
        SELECT migrate_up('http');
      } {{CONFLICT: migrate_up: }} -error 1
  step "A table of requests with overlays" \
      "Any table: a key, a parent, is_delta, and delta_x for a column x." {
        CREATE TABLE @request(id TEXT PRIMARY KEY, name TEXT, url TEXT,
          method TEXT, description TEXT, is_delta INTEGER DEFAULT 0,
          parent_id TEXT REFERENCES @request(id), delta_url TEXT,
          delta_method TEXT, delta_description TEXT);
        INSERT INTO @request(id, name, url, method, description)
        SELECT '@tag-' || row_number() OVER (ORDER BY kb DESC, name),
               name, 'https://api.example/' || name, 'GET', 'about ' || name
          FROM @items ORDER BY kb DESC, name LIMIT 200;
        INSERT INTO @request(id, is_delta, parent_id, delta_url,
          delta_method, delta_description)
        VALUES ('@tag-a', 1, '@tag-1', 'https://staging.example/',
                NULL, NULL),
               ('@tag-b', 1, '@tag-a', NULL, 'POST', NULL),
               ('@tag-c', 1, '@tag-b', NULL, NULL, '');
        SELECT is_delta, count(*) AS requests FROM @request
         GROUP BY is_delta;
      } {{0\s+[0-9]+} {1\s+3}} -library 0
}

# --------------------------------------------------------------------- expiry

proc demo::walk_expiry {} {
  section "Rows that expire"
  step "A cache with a time in each row" \
      "Every second row's time has passed an hour ago." {
        CREATE TABLE @cache(name TEXT PRIMARY KEY, kb INTEGER,
                            expires_at INTEGER);
        INSERT INTO @cache
        SELECT name, kb, unixepoch() + iif(row_number() OVER () % 2,
                                           -3600, 3600) FROM @items;
        SELECT count(*) AS cached, sum(expires_at < unixepoch()) AS expired
          FROM @cache;
      } {{cached\s+expired\n-+\s+-+\n[1-9][0-9]*\s+[1-9][0-9]*}} -library 0
  step "Attach an expiry to the table" \
      "One call: an index, a view of the living rows and a trigger, all plain\
       SQL; ttl_detach removes exactly these." {
        SELECT ttl_attach('@cache', 'expires_at', '{"unit":"s"}')
               AS attached;
        SELECT type, name FROM sqlite_schema
         WHERE tbl_name LIKE '@cache%' AND name NOT LIKE 'sqlite%';
      } {{attached\s+-+\s+1} {view\s+@cache_live} {trigger} {index}}
  step "Sweep" \
      "Removes what has expired, oldest first, in one transaction: of 10 ms unless\
       told otherwise." {
        SELECT ttl_sweep('@cache', '{"budget":"10s"}') AS removed;
        SELECT count(*) AS cached, sum(expires_at < unixepoch()) AS expired
          FROM @cache;
      } {{removed\s+-+\s+[1-9]} {expired\n-+\s+-+\n[1-9][0-9]*\s+0}}
  step "What the sweeper did" \
      "One row per table with an expiry." {
        SELECT table_name, column_name, deletes_total FROM ttl_status
         WHERE table_name = '@cache';
      } {{@cache\s+expires_at\s+[1-9]}}
}

# --------------------------------------------------------------- measurements

proc demo::walk_measurements {} {
  section "Measurements"
  step "Record numbers of your own, capture the engine's" \
      "Into the seed's table sqlite_performance_metrics." {
        SELECT perf_record('@tag_ms', 12.5, '{"unit":"ms"}') AS one,
               perf_record('@tag_ms', 7.5, '{"unit":"ms"}') AS two;
        SELECT count(*) AS rows_read
          FROM @items AS a JOIN @items AS b ON b.name = a.name;
        SELECT perf_capture() AS captured;
      } {{captured\s+-+\s+[1-9]}}
  step "Trends" \
      "The seed's own query; SQLite reserves such table names, the library\
       serves them." {
        SELECT metric_name, AVG(metric_value), MIN(metric_value),
               MAX(metric_value)
          FROM sqlite_performance_metrics
         WHERE db_path = (SELECT file FROM pragma_database_list
                           WHERE name = 'main')
           AND recorded_ts > datetime('now', '-24 hours')
         GROUP BY metric_name;
      } {{@tag_ms\|10\.0\|7\.5\|12\.5} {cache_hit}} -mode list
}

# --------------------------------------------------------------------- health

proc demo::walk_health {} {
  section "Health and free space"
  step "Is all well?" \
      "Selecting runs the checks; unfinished is never healthy." {
        SELECT check_type, status, value, duration_ms FROM health_checks;
      } {{integrity\s+healthy} {migrations\s+healthy}} \
      -foreign {{integrity\s+(healthy|warning|critical|unknown)}}
  step "Space that could be given back" \
      "Free pages, what a vacuum would gain, what is recommended." {
        SELECT * FROM vacuum_status;
      } {{main}} -mode line -headers off
}

# ------------------------------------------------------------------- delivery

proc demo::walk_delivery {} {
  section "A delivery queue in the same transaction"
  step "Two subscriptions, one bounded" \
      "A bounded queue drops the oldest message, and tells its reader." {
        SELECT delivery_subscribe('@tag', '@tag', '{"max_pending":5}') > 0
                 AS bounded,
               delivery_subscribe('@tag-all', '@tag') > 0 AS all_of_it;
      } {{bounded\s+all_of_it\n-+\s+-+\n1\s+1\M}}
  step "What is rolled back was never published" \
      "The message and the business row are one transaction." {
        BEGIN;
        UPDATE @cache SET kb = 0;
        SELECT delivery_publish('@tag', 'all is gone') > 0 AS published;
        ROLLBACK;
        SELECT count(*) AS pending FROM delivery_queue
         WHERE topic = '@tag';
      } {{published\s+-+\s+1} {pending\s+-+\s+0}}
  step "Publish many at once" \
      "delivery_queue takes INSERT; the payload keeps its type." {
        INSERT INTO delivery_queue(topic, key, payload)
        SELECT '@tag', name, json_object('name', name, 'kb', kb)
          FROM @items ORDER BY kb DESC, name LIMIT 12;
        SELECT consumer, pending, dropped_pending, max_pending
          FROM delivery_status WHERE topic = '@tag' ORDER BY consumer;
      } {{@tag\s+5\s+7\s+5} {@tag-all\s+12\s+0\s+1000}} \
      -foreign {{@tag\s+5\s+7\s+5} {@tag-all\s+12\s+0}}
  step "The next messages of the bounded one" \
      "dropped = 7: seven were lost just before the first row." {
        SELECT number, key, payload ->> 'kb' AS kb, dropped
          FROM delivery_next('@tag') ORDER BY position LIMIT 3;
      } {{\n8\s+\S.*\s7\n9\s+\S.*\s0\n10\s+\S.*\s0}}
  step "Acknowledge, and see nothing pending" \
      "Cumulative: everything up to this position is done." {
        SELECT delivery_ack('@tag',
                 (SELECT max(position) FROM delivery_next('@tag')))
               AS acked;
        SELECT consumer, pending, dropped_total FROM delivery_status
         WHERE topic = '@tag' ORDER BY consumer;
      } {{acked\s+-+\s+1} {@tag\s+0\s+7} {@tag-all\s+12\s+0}}
}

# ----------------------------------------------------------------------- help

proc demo::walk_help {} {
  section "Help"
  step "Everything is documented in the library" \
      "steward_help has a row per function and table, with an example that a\
       test runs." {
        SELECT kind, count(*) FROM steward_help GROUP BY kind;
      } {{function\s+[1-9][0-9]} {table\s+[1-9]}}
  step "One entry" \
      "Signature, what it does, an example." {
        SELECT signature, summary, example FROM steward_help
         WHERE name = 'delivery_ack';
      } {{signature = delivery_ack\(} {example = SELECT}} -mode line \
      -headers off
}

# --------------------------------------------------------- without the library

proc demo::walk_without {} {
  section "The same file without the library"
  step "A plain client writes" \
      "No library here: its INSERT lets expired rows go, and publishes." {
        INSERT INTO @cache VALUES ('@tag new', 1, unixepoch() - 1);
        INSERT INTO @cache VALUES ('@tag newer', 1, unixepoch() + 3600);
        SELECT count(*) AS expired FROM @cache
         WHERE expires_at < unixepoch();
        INSERT INTO steward_log(topic, payload)
        VALUES ('@tag', 'from a plain client');
        @verify
      } {{expired\s+-+\s+0} {integrity_check\s+-+\s+ok}} -library 0 \
      -foreign {{expired\s+-+\s+0}}
  step "And the other side gets it" \
      "With the library again." {
        SELECT number, payload, dropped FROM delivery_next('@tag');
      } {{13\s+from a plain client\s+0}}
}

# ------------------------------------------------------------------ uninstall

proc demo::walk_uninstall {} {
  variable had
  section "Taking it away again"
  step "Uninstalling refuses to lose rows" \
      "It names what would be lost; steward_uninstall('force') means it." {
        SELECT steward_uninstall();
      } {{CONFLICT: steward_uninstall: it would lose .*steward_messages}} -error 1
  if {$had} {
    skip "Uninstall" "the database had Steward before, so it stays."
    return
  }
  step "Uninstall" \
      "What Steward made goes; what it found stays." {
        SELECT steward_uninstall('force') > 0 AS uninstalled;
        SELECT count(*) AS left_behind FROM sqlite_schema
         WHERE name LIKE 'steward%';
      } {{uninstalled\s+-+\s+1} {left_behind\s+-+\s+0}} \
      -foreign {{uninstalled\s+-+\s+1}}
  step "The schema is what it was" \
      "The demo drops its own tables, and the schema is compared with the\
       one at the beginning. Statistics of the planner may stay." [own_tables] {{objects\s+-+\s+[0-9]}} \
      -check {changes}
}

# DROP statements for the tables that the walk made.
proc demo::own_tables {} {
  variable strict
  variable sets
  set sql "DROP TABLE @cache;"
  if {"http" ni $sets} { append sql "\nDROP TABLE @request;" }
  if {!$strict} { append sql "\nDROP TABLE @items;" }
  append sql "\nSELECT count(*) AS objects FROM sqlite_schema;"
  return $sql
}

# What of the schema came or went since the beginning; "" when it is the same.
# The planner's statistics, which upkeep makes, are SQLite's own and stay.
proc demo::changes {} {
  variable before
  set was [split $before \n]
  set is [split [schema] \n]
  set differ {}
  foreach line $was { if {$line ni $is} { lappend differ "-$line" } }
  foreach line $is {
    if {$line ni $was && ![string match table|sqlite_stat?|* $line]} {
      lappend differ "+$line"
    }
  }
  if {![llength $differ]} { return "" }
  return "the schema differs: [join [lrange $differ 0 9] {, }]"
}

# --------------------------------------------------------------- DB= untouched

proc demo::walk_source {} {
  variable source
  variable sum
  if {$source eq ""} return
  section "Your database"
  set now [checksum $source]
  puts "\n[paint bold "[expr {[llength $demo::done] + 1}]. Never touched"]"
  print_prose "The checksum of $source, before and now." "   "
  print [join $sum \n] "  "
  print [join $now \n] "  "
  record "DB= was never touched" 0 \
      [expr {$now eq $sum ? "" : "it changed while the demo ran: does another\
        process write it?"}]
}
