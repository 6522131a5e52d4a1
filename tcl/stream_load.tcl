# stream_load.tcl: many processes on one stream: 90 % reads (a page of a
# snapshot, changes behind a position, a resolved row), 10 % writes.
#
#   tclsh tcl/stream_load.tcl build/steward.so [seconds [clients ...]]
#
# Prints for each number of clients: operations a second, in all and per
# workspace (there are ten), errors, and the 50th, 95th and 99th percentile of
# one operation in microseconds.
package require sqlite3

proc open_db {so file} {
  sqlite3 db $file
  db enable_load_extension 1
  db eval {SELECT load_extension($so, 'sqlite3_steward_init')}
  db timeout 10000
  db eval {PRAGMA journal_mode = wal; PRAGMA synchronous = normal}
}

# One client: its times to stdout.
proc client {so file seconds seed} {
  open_db $so $file
  expr {srand($seed)}
  set position 0
  set errors 0
  set times {}
  set end [expr {[clock milliseconds] + 1000 * $seconds}]
  while {[clock milliseconds] < $end} {
    set w w[expr {int(rand() * 10)}]
    set id $w-[expr {int(rand() * 200)}]
    set kind [expr {int(rand() * 10)}]
    set t [clock microseconds]
    if {[catch {
      if {$kind == 0} {
        db eval {UPDATE http SET name = $id, updated_at = updated_at + 1
                  WHERE id = $id}
      } elseif {$kind < 4} {
        db eval {SELECT id, row FROM stream_snapshot('http', $w, NULL, 20)}
      } elseif {$kind < 7} {
        db eval {SELECT position, id, row
                   FROM stream_changes('http', $w, max($position, 0), 20)} r {
          set last $r(position)
        }
      } else {
        db eval {SELECT delta_resolve('http', $id || '-d')}
      }
    } message]} {
      incr errors
      puts stderr $message
    }
    lappend times [expr {[clock microseconds] - $t}]
  }
  puts [list $errors $times]
}

proc setup {so file} {
  foreach f [glob -nocomplain $file*] { file delete $f }
  open_db $so $file
  db eval {SELECT migrate_up('http'), migrate_up('streaming')}
  db eval BEGIN
  for {set w 0} {$w < 10} {incr w} {
    db eval {INSERT INTO workspaces(id, name) VALUES ('w' || $w, 'w')}
    for {set i 0} {$i < 200} {incr i} {
      set id w$w-$i
      db eval {
        INSERT INTO http(id, workspace_id, name, url, method, updated_at)
          VALUES ($id, 'w' || $w, $id, 'u', 'GET', $i);
        INSERT INTO http(id, workspace_id, name, url, method, is_delta,
                         parent_http_id, delta_url)
          VALUES ($id || '-d', 'w' || $w, '', '', '', 1, $id, 'd')}
    }
  }
  db eval {SELECT stream_attach('http'); COMMIT}
  db close
}

if {[lindex $argv 0] eq "-client"} {
  client {*}[lrange $argv 1 end]
  exit
}
set so [file normalize [lindex $argv 0]]
set seconds [expr {[llength $argv] > 1 ? [lindex $argv 1] : 10}]
set counts [expr {[llength $argv] > 2 ? [lrange $argv 2 end]
                  : {1 5 10 25 50 100}}]
set file /tmp/stream_load_[pid].db
puts "clients  ops/s  per workspace  errors  p50 us  p95 us  p99 us"
foreach n $counts {
  setup $so $file
  set pipes {}
  for {set i 0} {$i < $n} {incr i} {
    lappend pipes [open "|[list [info nameofexecutable] [info script] -client \
                            $so $file $seconds [expr {$i * 7919 + 1}]] 2>@stderr"]
  }
  set errors 0
  set times {}
  foreach p $pipes {
    lassign [gets $p] e t
    incr errors $e
    lappend times {*}$t
    catch {close $p}
  }
  set times [lsort -integer $times]
  set total [llength $times]
  puts [format "%7d %6.0f %14.0f %7d %7d %7d %7d" $n \
            [expr {double($total) / $seconds}] \
            [expr {double($total) / $seconds / 10}] $errors \
            {*}[lmap q {50 95 99} {lindex $times [expr {$total * $q / 100}]}]]
  foreach f [glob -nocomplain $file*] { file delete $f }
}
