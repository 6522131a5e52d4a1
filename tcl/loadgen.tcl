# loadgen.tcl: load on the storage service, from several processes.
#
#   tclsh tcl/loadgen.tcl ?options?          (make load: 30 seconds of it)
#
#   --scenario ext-storage   the one there is
#   --db FILE                default: a file of its own, removed at the end
#   --seconds 30  --clients 2  --seed N
#   --tenants 50  --installs 3  --namespaces 5
#   --rate 200               operations a minute and install; 0: flat out
#   --records 5000           of the namespace that is listed
#   --quota 4194304          bytes of the installs that bulk writes fill
#   --sync NORMAL            PRAGMA synchronous of the clients
#   --read-p95 150  --write-p95 250     objectives, ms
#   --report FILE            JSON; --baseline FILE compares with an earlier one
#   --influx FILE|URL        InfluxDB line protocol, written or posted
#
# Each client mixes 70 % reads, 25 % writes and 5 % deletes with bulk writes of
# varying size, which go on until the quota refuses them, and with scans, page
# by page and by prefix. Errors that must come (quota, size, revision, absence)
# are counted as expected; any other, a busy database or a missed objective
# makes the exit status 1.

package require Tcl 8.6
package require sqlite3
source [file join [file dirname [file normalize [info script]]] steward.tcl]

namespace eval load {
  variable opt
  array set opt {
    scenario ext-storage db "" seconds 30 clients 2 seed "" tenants 50
    installs 3 namespaces 5 rate 200 records 5000 quota 4194304 sync NORMAL
    read-p95 150 write-p95 250 report "" baseline "" influx "" worker ""
  }
  # what counts against which objective
  variable kind
  array set kind {
    get read list-page read list-prefix read put write delete write bulk write
  }
  # 16 steps to a doubling: percentiles are within 5 %
  variable steps 16
}

proc load::arguments {argv} {
  variable opt
  foreach {name value} $argv {
    set name [string range $name 2 end]
    if {![info exists opt($name)]} {
      error "loadgen: unknown option --$name: use\
        --[join [lsort [array names opt]] { --}]"
    }
    if {$name ni {scenario db seed sync report baseline influx}
        && ![string is double -strict $value] && $name ne "worker"} {
      error "loadgen: --$name must be a number, got '$value'"
    }
    set opt($name) $value
  }
  if {$opt(scenario) ne "ext-storage"} {
    error "loadgen: no scenario '$opt(scenario)': ext-storage is the one"
  }
  if {$opt(seed) eq ""} { set opt(seed) [expr {[clock microseconds] % 1000000}] }
}

proc load::open_db {} {
  variable opt
  sqlite3 db $opt(db)
  steward::load db -timeout 20000
  db eval "PRAGMA synchronous = $opt(sync)"
}

# ------------------------------------------------------------- measuring

# hist(op) is a dict: bucket -> count
proc load::sample {op us} {
  variable hist
  variable steps
  set bucket [expr {$us < 1 ? 0 : int(log($us) / log(2) * $steps)}]
  dict incr hist($op) $bucket
}

proc load::bucket_ms {bucket} {
  variable steps
  return [expr {2.0 ** (($bucket + 0.5) / $steps) / 1000.0}]
}

# count, p50, p95, p99, max in ms
proc load::summary {counts} {
  set n 0
  dict for {bucket count} $counts { incr n $count }
  set out [dict create count $n]
  set seen 0
  set want {p50 0.50 p95 0.95 p99 0.99 max 1.0}
  foreach bucket [lsort -integer [dict keys $counts]] {
    incr seen [dict get $counts $bucket]
    while {[llength $want] && $seen >= $n * [lindex $want 1]} {
      dict set out [lindex $want 0] [format %.3f [bucket_ms $bucket]]
      set want [lrange $want 2 end]
    }
  }
  return $out
}

# -------------------------------------------------------------- a client

# Templates of values, filled up to a size between 1 and 64 KiB.
proc load::value {} {
  set size [expr {1024 + int(rand() * 63 * 1024)}]
  set head [lindex {
    {"type":"lead","score":%d,"tags":["a","b"],"notes":}
    {"type":"page","version":%d,"blocks":[{"kind":"text"}],"body":}
    {"type":"event","at":%d,"data":{"ok":true,"n":null},"raw":}
  } [expr {int(rand() * 3)}]]
  set head \{[format $head [expr {int(rand() * 1000000)}]]\"
  return $head[string repeat x [expr {$size - [string length $head] - 2}]]\"\}
}

proc load::pick {n} {
  return [expr {int(rand() * $n)}]
}

# Run a statement and take its time; the code of an error, or "".
proc load::timed {op expected sql} {
  variable errors
  variable rows {}
  set start [clock microseconds]
  set code ""
  if {[catch { uplevel 1 [list db eval $sql] } message]} {
    set code [steward::code $message]
    if {$code eq ""} { set code ERROR }
    if {$code ni $expected && ![info exists errors(first)]} {
      set errors(first) "$op: $message"
    }
    dict incr errors([expr {$code in $expected ? "expected" : "unexpected"}]) $code
  }
  sample $op [expr {[clock microseconds] - $start}]
  if {$code eq ""} { set rows $message }
  return $code
}

proc load::crud {} {
  variable opt
  variable hot
  set tenant t[pick $opt(tenants)]
  set install i[pick $opt(installs)]
  set namespace n[pick $opt(namespaces)]
  set key k[pick 40]
  dict incr hot $tenant/$install
  set what [pick 100]
  if {$what < 70} {
    timed get {} {SELECT store_get($tenant, $install, $namespace, $key)}
  } elseif {$what < 95} {
    set value [value]
    set options [lindex {{{}} {{}} {{}} {{"ttl_seconds":60}} {{"if_revision":1}}
                         {{"if_absent":true}}} [pick 6]]
    timed put {REVISION_MISMATCH CONFLICT QUOTA_EXCEEDED} {
      SELECT store_put($tenant, $install, $namespace, $key, $value, $options)}
  } else {
    timed delete {} {SELECT store_delete($tenant, $install, $namespace, $key)}
  }
}

# Bulk writes, each larger than the last, until the install is full; then it is
# emptied by half, and the chain goes on.
proc load::bulk {} {
  variable opt
  variable chain
  set install b$opt(worker)
  set n [expr {1 + [incr chain] % 22}]
  set items {}
  for {set i 0} {$i < $n} {incr i} {
    lappend items "{\"key\":\"c$chain-$i\",\"value\":[value]}"
  }
  set items "\[[join $items ,]\]"
  set code [timed bulk {QUOTA_EXCEEDED LIMIT_EXCEEDED} {
    SELECT store_bulk_put('bulk', $install, 'chain', $items)}]
  if {$code eq "QUOTA_EXCEEDED"} {
    # keys first: a SELECT that deletes could not wait for the other clients
    set keys [db eval {
      SELECT key FROM store_list('bulk', $install, 'chain', NULL, NULL, 1000)
       ORDER BY created_at, key LIMIT 60
    }]
    foreach key $keys {
      db eval { SELECT store_delete('bulk', $install, 'chain', $key) }
    }
  }
}

proc load::scan {} {
  variable opt
  if {[pick 2]} {
    variable rows
    set after [format r%06d [pick $opt(records)]]
    for {set page 0} {$page < 20 && $after ne ""} {incr page} {
      timed list-page {} {
        SELECT key FROM store_list('list', 'i', 'n', NULL, $after, 25)}
      set after [lindex $rows end]
    }
  } else {
    set prefix [format r%04d [pick [expr {int($opt(records) / 100)}]]]
    timed list-prefix {} {
      SELECT count(*) AS n FROM store_list('list', 'i', 'n', $prefix)}
  }
}

proc load::client {} {
  variable opt
  variable hist
  variable errors
  variable hot {}
  variable chain 0
  array set errors {expected {} unexpected {}}
  expr {srand($opt(seed) * 1000 + $opt(worker) + 1)}
  open_db
  set rate [expr {$opt(rate) * $opt(tenants) * $opt(installs) / 60.0
                  / $opt(clients)}]
  set start [clock microseconds]
  set end [expr {$start + int($opt(seconds) * 1e6)}]
  set told $start
  set n 0
  while {[set now [clock microseconds]] < $end} {
    if {$now - $told >= 1000000} {
      puts "at $n"
      flush stdout
      set told $now
    }
    if {$rate > 0} {
      set due [expr {$start + int($n * 1e6 / $rate)}]
      if {$due > $now} { after [expr {($due - $now) / 1000}] }
    }
    switch -glob [expr {$n % 50}] {
      17 { bulk }
      33 { scan }
      default { crud }
    }
    incr n
  }
  puts [list done [array get hist] [array get errors] $hot $n]
  flush stdout
  db close
}

# ------------------------------------------------------------ the others

proc load::prepare {} {
  variable opt
  sqlite3 db $opt(db)
  steward::load db -timeout 20000 -sets storage
  db eval { PRAGMA journal_mode = WAL }
  db transaction {
    for {set i 0} {$i < $opt(clients)} {incr i} {
      db eval { SELECT store_limit('bulk', 'b' || $i, 'store_max_bytes',
                                   CAST($opt(quota) AS INTEGER)) }
    }
    db eval {
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n
                               WHERE i < $opt(records) - 1)
      INSERT INTO store_records(tenant, install, namespace, key, value)
      SELECT 'list', 'i', 'n', printf('r%06d', i),
             json_object('n', i, 'text', printf('%.200c', 'x')) FROM n
    }
  }
  db close
}

proc load::start_clients {} {
  variable opt
  variable channels {}
  for {set i 0} {$i < $opt(clients)} {incr i} {
    set command [list [info nameofexecutable] [info script]]
    foreach name [array names opt] {
      if {$name ni {worker report baseline influx}} {
        lappend command --$name $opt($name)
      }
    }
    set f [open "|[concat $command --worker $i] 2>@1"]
    fconfigure $f -blocking 0
    fileevent $f readable [list load::heard $f $i]
    lappend channels $f
  }
}

proc load::heard {f i} {
  variable done
  variable at
  variable results
  while {[gets $f line] >= 0} {
    switch [lindex $line 0] {
      at { set at($i) [lindex $line 1] }
      done { lappend results [lrange $line 1 end] }
      default { puts stderr "client $i: $line" }
    }
  }
  if {[eof $f]} {
    catch { fconfigure $f -blocking 1; close $f }
    incr done
  }
}

proc load::progress {begin} {
  variable at
  variable opt
  set n 0
  foreach i [array names at] { incr n $at($i) }
  set s [expr {([clock milliseconds] - $begin) / 1000.0}]
  puts -nonewline stderr [format "\r%5.0f s of %s, %d operations, %.0f a second " \
      $s $opt(seconds) $n [expr {$n / max($s, 0.001)}]]
  variable ticker [after 1000 [list load::progress $begin]]
}

# All clients' results together: a dict, as the report has it.
proc load::merge {} {
  variable opt
  variable results
  variable kind
  set expected {}
  set unexpected {}
  set first ""
  set total 0
  foreach r $results {
    lassign $r histograms errors installs n
    incr total $n
    foreach {op counts} $histograms {
      dict for {bucket count} $counts { dict incr hist($op) $bucket $count }
    }
    array set e {expected {} unexpected {} first ""}
    array set e $errors
    dict for {code count} $e(expected) { dict incr expected $code $count }
    dict for {code count} $e(unexpected) { dict incr unexpected $code $count }
    if {$e(first) ne ""} { set first $e(first) }
    unset e
    dict for {install count} $installs { dict incr hot $install $count }
  }
  set ops {}
  foreach op [lsort [array names hist]] { dict set ops $op [summary $hist($op)] }
  foreach which {read write} {
    set all {}
    foreach op [array names hist] {
      if {$kind($op) ne $which} continue
      dict for {bucket count} $hist($op) { dict incr all $bucket $count }
    }
    if {[dict size $all]} { dict set ops "all ${which}s" [summary $all] }
  }
  set hottest [lindex [lsort -integer -decreasing -stride 2 -index 1 $hot] 0]
  return [dict create operations $total ops $ops expected $expected \
              unexpected $unexpected first $first hottest $hottest \
              share [expr {double([dict get $hot $hottest])
                           * [dict size $hot] / [tcl::mathop::+ {*}[dict values $hot]]}]]
}

proc load::facts {} {
  variable opt
  open_db
  set facts [db eval {
    SELECT 'sqlite', sqlite_version(), 'steward', steward_version(),
           'wrong', store_verify(),
           'pending', (SELECT pending FROM ttl_status
                        WHERE table_name = 'ext_storage_records'),
           'deletes', (SELECT deletes_total FROM ttl_status
                        WHERE table_name = 'ext_storage_records'),
           'bytes', (SELECT sum(bytes) FROM store_usage)
  }]
  db close
  return $facts
}

# {name ok text}
proc load::objectives {r facts} {
  variable opt
  set out {}
  foreach {which limit} [list reads $opt(read-p95) writes $opt(write-p95)] {
    if {![dict exists $r ops "all $which"]} continue
    set p95 [dict get $r ops "all $which" p95]
    lappend out [list "p95 of $which" [expr {$p95 < $limit}] \
        "$p95 ms, below $limit ms"]
  }
  set busy [expr {[dict exists $r unexpected BUSY]
                  ? [dict get $r unexpected BUSY] : 0}]
  lappend out [list "busy or deadlocked" [expr {!$busy}] "$busy, must be 0"]
  set others 0
  dict for {code count} [dict get $r unexpected] { incr others $count }
  lappend out [list "unexpected errors" [expr {!$others}] \
      "$others, must be 0 [dict get $r first]"]
  lappend out [list "quota refuses" [dict exists $r expected QUOTA_EXCEEDED] \
      "QUOTA_EXCEEDED must have come"]
  lappend out [list "usage" [expr {[dict get $facts wrong] == 0}] \
      "store_verify() gives [dict get $facts wrong], must be 0"]
  return $out
}

proc load::json {r facts objectives} {
  variable opt
  sqlite3 j :memory:
  set ops {{}}
  dict for {op s} [dict get $r ops] {
    dict with s {
      set count [expr {wide($count)}]
      set ops [j one { SELECT json_set($ops, '$."' || $op || '"', json_object(
        'count', $count, 'p50_ms', $p50 + 0.0, 'p95_ms', $p95 + 0.0,
        'p99_ms', $p99 + 0.0, 'max_ms', $max + 0.0)) }]
    }
  }
  foreach which {expected unexpected} {
    set $which {{}}
    dict for {code n} [dict get $r $which] {
      set n [expr {wide($n)}]
      set $which [j one { SELECT json_set($expected, '$.' || $code, $n)
                           WHERE $which = 'expected'
                          UNION ALL
                          SELECT json_set($unexpected, '$.' || $code, $n)
                           WHERE $which = 'unexpected' }]
    }
  }
  set ok [expr {[lsearch -index 1 $objectives 0] < 0}]
  set total [dict get $r operations]
  set hottest [dict get $r hottest]
  set share [dict get $r share]
  set sqlite [dict get $facts sqlite]
  set steward [dict get $facts steward]
  set pending [dict get $facts pending]
  set out [j one {
    SELECT json_object('scenario', $opt(scenario), 'sqlite', $sqlite,
      'steward', $steward, 'seed', $opt(seed) + 0, 'seconds', $opt(seconds) + 0,
      'clients', $opt(clients) + 0, 'rate', $opt(rate) + 0,
      'synchronous', $opt(sync), 'operations', $total + 0,
      'per_second', round($total / ($opt(seconds) + 0.0), 1),
      'ops', json($ops),
      'errors', json_object('expected', json($expected),
                            'unexpected', json($unexpected)),
      'hottest', json_object('install', $hottest, 'times_the_mean', $share + 0.0),
      'ttl_expired_rows_pending', $pending + 0, 'ok', $ok + 0)
  }]
  j close
  return $out
}

proc load::print {r facts objectives} {
  variable opt
  puts [format "%-12s %9s %9s %9s %9s %9s" operation count "p50 ms" "p95 ms" \
            "p99 ms" "max ms"]
  dict for {op s} [dict get $r ops] {
    dict with s {
      puts [format "%-12s %9d %9s %9s %9s %9s" $op $count $p50 $p95 $p99 $max]
    }
  }
  puts [format "%d operations, %.0f a second; %.1f MiB stored" \
      [dict get $r operations] [expr {[dict get $r operations] / $opt(seconds)}] \
      [expr {[dict get $facts bytes] / 1048576.0}]]
  puts "expected errors: [dict get $r expected]"
  puts [format "hottest install: %s, %.2f times the mean" \
      [dict get $r hottest] [dict get $r share]]
  puts "expired rows: [dict get $facts pending] pending,\
    [dict get $facts deletes] removed"
  foreach o $objectives {
    lassign $o name ok text
    puts [format "%-6s %s: %s" [expr {$ok ? "ok" : "FAILED"}] $name $text]
  }
}

proc load::compare {report} {
  variable opt
  set f [open $opt(baseline)]
  set before [read $f]
  close $f
  sqlite3 j :memory:
  puts "against $opt(baseline):"
  j eval {
    SELECT n.key AS op, n.value ->> '$.p95_ms' AS now,
           b.value ->> '$.p95_ms' AS was
      FROM json_each($report, '$.ops') AS n
      JOIN json_each($before, '$.ops') AS b USING (key)
  } {
    puts [format "  %-12s p95 %9.3f ms, was %9.3f ms (%.2f times)" $op $now \
        $was [expr {$was > 0 ? $now / $was : 0}]]
  }
  j close
}

# One line an operation, InfluxDB's line protocol.
proc load::influx {r facts} {
  variable opt
  set ns [clock microseconds]000
  set lines {}
  dict for {op s} [dict get $r ops] {
    dict with s {
      lappend lines "ext_storage,scenario=$opt(scenario),op=[string map {{ } {\ }} \
        $op] count=${count}i,p50_ms=$p50,p95_ms=$p95,p99_ms=$p99,max_ms=$max $ns"
    }
  }
  lappend lines "ext_storage_ttl,scenario=$opt(scenario)\
    ttl_expired_rows_pending=[dict get $facts pending]i,ttl_cleanup_deletes_total=[dict get $facts deletes]i $ns"
  set text [join $lines \n]\n
  if {[string match http://* $opt(influx)]} {
    package require http
    set token [http::geturl $opt(influx) -query $text -type text/plain \
                   -timeout 10000]
    set code [http::ncode $token]
    http::cleanup $token
    if {$code eq "" || $code >= 300} {
      error "loadgen: $opt(influx) answered '$code'"
    }
    return
  }
  set f [open $opt(influx) w]
  puts -nonewline $f $text
  close $f
}

proc load::main {} {
  variable opt
  variable results {}
  variable done 0
  set own [expr {$opt(db) eq ""}]
  if {$own} {
    set opt(db) [file join [pwd] steward-load-[pid].db]
  }
  prepare
  start_clients
  progress [clock milliseconds]
  while {$done < $opt(clients)} { vwait ::load::done }
  after cancel $::load::ticker
  puts stderr ""
  if {[llength $results] < $opt(clients)} {
    puts stderr "loadgen: a client ended early"
    exit 1
  }
  set facts [facts]
  set r [merge]
  set objectives [objectives $r $facts]
  print $r $facts $objectives
  set report [json $r $facts $objectives]
  if {$opt(report) ne ""} {
    set f [open $opt(report) w]
    puts $f $report
    close $f
  }
  if {$own} {
    foreach suffix {"" -wal -shm} { file delete $opt(db)$suffix }
  }
  if {$opt(baseline) ne ""} { compare $report }
  if {$opt(influx) ne ""} { influx $r $facts }
  exit [expr {[lsearch -index 1 $objectives 0] >= 0}]
}

if {[catch {
  load::arguments $argv
  if {$load::opt(worker) ne ""} { load::client } else { load::main }
} message]} {
  puts stderr $message
  exit 2
}
