# tester.tcl: the test harness. The names are those of SQLite's own, so that
# a reader of its tests reads ours.
#
#   source [file join [file dirname [info script]] .. tcl tester.tcl]
#   set testprefix ttl
#   do_execsql_test 1.1 { SELECT ttl_attach('t', 'x') } {1}
#   do_catchsql_test 1.2 { SELECT ttl_attach(1) } {1 {wrong number ...}}
#   finish_test
#
# A file runs in its own process and directory, with `db` open on a fresh
# test.db and the library loaded (build/steward.so or $STEWARD_SO). A name
# that begins with a digit gets the testprefix in front. A name used twice
# fails, naming both places; so does a file that ends without finish_test.
#
# Results are compared as text. An expected result of the form /regexp/ must
# match, ~/regexp/ must not ("#" stands for a number), /*glob*/ matches as a
# glob; lists are compared element by element as they print.
#
#   do_test name script expected          execsql sql ?db?
#   do_execsql_test ?-db db? name sql expected
#   do_catchsql_test ?-db db? name sql {code message}
#   do_eqp_test name sql plan             query_plan sql ?db?
#   do_hot_test name statement plan       named_sql name
#   do_unchanged_test name sql result     db_digest ?db?
#   skip_test name reason                 finish_test
#   reset_db   sqlite3 db2 file ...   sqlite3_stock db3 file ... (no library)
#   shell file sql   plain_shell file sql (the stock CLI without the library)
#   pin_clock ms ?db?   advance_clock ms ?db?
#   with_tmpfs size body                  (in body: $tmpfs, a small disk)
#   spawn_script ?-n count? ?-db file? ?-timeout ms? script
#     spawn_wait spawn_results spawn_read spawn_tell spawn_kill, see below
#   model_seed model_rand model_pick model_shuffle, see below
#
# VERBOSE=1 prints every test, KEEP=1 keeps the directory.

package require sqlite3
source [file join [file dirname [file normalize [info script]]] steward.tcl]

namespace eval tester {
  variable tcldir [file dirname [file normalize [info script]]]
  variable root [file dirname $tcldir]
  variable script [file normalize $argv0]
  variable file [file tail $argv0]
  variable count 0
  variable failed 0
  variable skipped 0
  variable seen
  array set seen {}
  variable finished 0
  variable seed ""
  variable start [clock milliseconds]
  variable verbose [expr {[info exists env(VERBOSE)]
                          && $env(VERBOSE) ni {"" 0}}]
  variable dir ""
}

set testprefix [file rootname $tester::file]
if {![info exists env(STEWARD_SO)] || $env(STEWARD_SO) eq ""} {
  set env(STEWARD_SO) [file join $tester::root build steward.so]
}
set env(STEWARD_SO) [file normalize $env(STEWARD_SO)]
fconfigure stdout -buffering line -encoding utf-8

# ------------------------------------------------------------- connections

# Every connection made by `sqlite3` has the library; sqlite3_stock's do not.
rename sqlite3 sqlite3_stock
proc sqlite3 {name args} {
  set result [uplevel 1 [list sqlite3_stock $name {*}$args]]
  if {[string match -* $name]} { return $result }
  steward::load $name
  return $result
}

# Close db, remove test.db and what belongs to it, open a new one.
proc reset_db {} {
  catch {db close}
  forcedelete test.db test.db-journal test.db-wal test.db-shm
  sqlite3 db test.db
}

proc forcedelete {args} {
  foreach f $args { file delete -force $f }
}

proc execsql {sql {db db}} {
  return [uplevel 1 [list $db eval $sql]]
}

# {0 result} or {1 message}
proc catchsql {sql {db db}} {
  set code [catch {uplevel 1 [list $db eval $sql]} message]
  return [list $code $message]
}

proc pin_clock {ms {db db}} { steward::pin $db $ms }
proc advance_clock {ms {db db}} { steward::advance $db $ms }

# The stock command line shell on a file, without and with the library; what
# it prints, or an error with what it printed.
proc plain_shell {file sql} {
  return [exec sqlite3 -batch -bail -init /dev/null $file << $sql 2>@1]
}
proc shell {file sql} {
  set load ".load [file rootname $::env(STEWARD_SO)]\n"
  return [exec sqlite3 -batch -bail -init /dev/null $file << $load$sql 2>@1]
}

# ------------------------------------------------------------------- tests

# Where in the test file we are, as file:line.
proc tester::where {} {
  variable script
  for {set i [info frame]} {$i > 0} {incr i -1} {
    set frame [info frame $i]
    if {[dict get $frame type] eq "source"
        && [file normalize [dict get $frame file]] eq $script} {
      return [file tail $script]:[dict get $frame line]
    }
  }
  return [file tail $script]
}

proc tester::fail {name lines} {
  variable failed
  incr failed
  puts "! $name ([where])"
  foreach line $lines { puts "    $line" }
}

# The full name of a test; 0 when the name was used before (reported). Sets
# the variable `fullname` of the caller.
proc tester::admit {name} {
  variable seen
  upvar 1 fullname fullname
  if {[string match {[0-9]*} $name]} { set name $::testprefix-$name }
  set fullname $name
  set here [where]
  if {[info exists seen($name)]} {
    variable count
    incr count
    fail $name [list "duplicate test name '$name': first at $seen($name),\
      again at $here"]
    return 0
  }
  set seen($name) $here
  return 1
}

# Does a result match what is expected? See the top of this file.
proc tester::matches {result expected} {
  if {![regexp {^(~?)/(.*)/$} $expected -> not re]} {
    return [expr {$result eq $expected}]
  }
  if {$not eq "" && [regexp {^\*.*\*$} $re]} {
    return [string match $re $result]
  }
  set re [string map {# {[-0-9.]+}} $re]
  return [expr {[regexp -- $re $result] == ($not eq "")}]
}

# Long values are cut for printing, in the middle.
proc tester::show {value} {
  set n [string length $value]
  if {$n <= 4000} { return "\[$value\]" }
  return "\[[string range $value 0 1999] ... ($n characters) ...\
    [string range $value end-1999 end]\]"
}

proc do_test {name script expected} {
  if {![tester::admit $name]} return
  incr tester::count
  set code [catch {uplevel 1 $script} result options]
  if {$code == 1} {
    set lines [list "expected: [tester::show $expected]" \
                    "error:    [tester::show $result]"]
    if {$tester::verbose} {
      lappend lines {*}[split [dict get $options -errorinfo] \n]
    }
    tester::fail $fullname $lines
  } elseif {![tester::matches $result $expected]} {
    tester::fail $fullname [list "expected: [tester::show $expected]" \
                                 "got:      [tester::show $result]"]
  } elseif {$tester::verbose} {
    puts "  $fullname"
  }
  return
}

# Take a leading "-db name" off a list of arguments.
proc tester::option_db {argsvar} {
  upvar 1 $argsvar args
  if {[lindex $args 0] ne "-db"} { return db }
  set db [lindex $args 1]
  set args [lrange $args 2 end]
  return $db
}

proc do_execsql_test {args} {
  set db [tester::option_db args]
  if {[llength $args] ni {2 3}} {
    return -code error "usage: do_execsql_test ?-db db? name sql ?result?"
  }
  lassign $args name sql expected
  if {![regexp {^\s*~?/.*/\s*$} $expected]} {
    set expected [list {*}$expected]
  } else {
    set expected [string trim $expected]
  }
  uplevel 1 [list do_test $name [list execsql $sql $db] $expected]
}

proc do_catchsql_test {args} {
  set db [tester::option_db args]
  if {[llength $args] != 3} {
    return -code error "usage: do_catchsql_test ?-db db? name sql result"
  }
  lassign $args name sql expected
  uplevel 1 [list do_test $name [list catchsql $sql $db] $expected]
}

# The query plan as the tree that the shell prints.
proc query_plan {sql {db db}} {
  set order {}
  $db eval "EXPLAIN QUERY PLAN $sql" row {
    lappend children($row(parent)) $row(id)
    set detail($row(id)) $row(detail)
  }
  set out "QUERY PLAN"
  set stack {}
  if {[info exists children(0)]} { set stack [list 0 "" 0] }
  while {[llength $stack]} {
    lassign [lrange $stack end-2 end] parent indent i
    set stack [lrange $stack 0 end-3]
    if {$i >= [llength $children($parent)]} continue
    lappend stack $parent $indent [expr {$i + 1}]
    set id [lindex $children($parent) $i]
    set last [expr {$i + 1 == [llength $children($parent)]}]
    append out \n $indent [expr {$last ? "`--" : "|--"}] $detail($id)
    if {[info exists children($id)]} {
      lappend stack $id "$indent[expr {$last ? {   } : {|  }}]" 0
    }
  }
  return $out
}

# Compare a plan: a whole tree (begins with QUERY PLAN; indentation common
# to its lines does not count), /regexp/, ~/regexp/, or a part of the text.
proc do_eqp_test {args} {
  set db [tester::option_db args]
  lassign $args name sql expected
  set expected [string trim $expected]
  if {[string match "QUERY PLAN*" $expected]} {
    set lines [split $expected \n]
    set rest [lrange $lines 1 end]
    set margin 1000
    foreach line $rest {
      regexp {^\s*} $line lead
      set margin [expr {min($margin, [string length $lead])}]
    }
    set rest [lmap line $rest { string range $line $margin end }]
    set expected [join [concat [list "QUERY PLAN"] $rest] \n]
    set form exact
  } elseif {[regexp {^~?/.*/$} $expected]} {
    set form exact
  } else {
    set form part
  }
  if {$form eq "part"} {
    uplevel 1 [list do_test $name [list tester::plan_part $sql $db $expected] \
                   $expected]
  } else {
    uplevel 1 [list do_test $name [list query_plan $sql $db] $expected]
  }
}

# The expected part when the plan contains it, else the whole plan.
proc tester::plan_part {sql db part} {
  set plan [uplevel 1 [list query_plan $sql $db]]
  return [expr {[string first $part $plan] >= 0 ? $part : $plan}]
}

# The text of a named statement of sql/, as it is embedded.
proc named_sql {name} {
  foreach s [named_statements] {
    if {[lindex $s 0] eq $name} { return [lindex $s 4] }
  }
  return -code error "no statement '$name' in sql/"
}

# All of them: a list of {name set hot file:line sql}.
proc named_statements {} {
  if {![info exists ::tester::statements]} {
    set parser [interp create]
    $parser eval [list source [file join $::tester::tcldir embed.tcl]]
    $parser eval [list read_all [glob $::tester::root/sql/*.sql]]
    set ::tester::statements [lmap s [$parser eval {set Statement}] {
      lreplace $s 3 3 [string range [lindex $s 3] \
          [string length $::tester::root/] end]
    }]
    interp delete $parser
  }
  return $::tester::statements
}

# A hot statement has the same plan before and after ANALYZE. Two tests,
# name and name-analyzed; the statistics are rolled back.
proc do_hot_test {name statement plan} {
  set sql [named_sql $statement]
  uplevel 1 [list do_eqp_test $name $sql $plan]
  db eval {SAVEPOINT do_hot_test; ANALYZE}
  uplevel 1 [list do_eqp_test $name-analyzed $sql $plan]
  db eval {ROLLBACK TO do_hot_test; RELEASE do_hot_test}
}

# Everything that is stored: the schema and all rows of all ordinary tables.
# Two digests are equal when nothing was changed.
proc db_digest {{db db}} {
  set out {}
  foreach {type name sql} [$db eval {
    SELECT type, name, sql FROM sqlite_schema ORDER BY type, name
  }] {
    lappend out $type $name $sql
    if {$type ne "table" || [string match -nocase "CREATE VIRTUAL*" $sql]} {
      continue
    }
    set quoted "\"[string map {\" \"\"} $name]\""
    set columns [$db eval {
      SELECT 'quote("' || replace(name,'"','""') || '")'
        FROM pragma_table_info($name)
    }]
    lappend out [$db eval "SELECT [join $columns ,] FROM $quoted"]
  }
  return $out
}

# The statement fails (or not) as expected, and stored data stays what it
# was: for refusals, which must leave nothing half done.
proc do_unchanged_test {name sql expected} {
  set before [db_digest]
  uplevel 1 [list do_catchsql_test $name $sql $expected]
  uplevel 1 [list do_test $name-unchanged \
      [list tester::unchanged $before] unchanged]
}

proc tester::unchanged {before} {
  set after [db_digest]
  if {$after eq $before} { return unchanged }
  set gone {}
  set new {}
  foreach x $before { if {$x ni $after} { lappend gone $x } }
  foreach x $after { if {$x ni $before} { lappend new $x } }
  return "was: $gone  is: $new"
}

proc skip_test {name reason} {
  if {![tester::admit $name]} return
  incr tester::skipped
  puts "  skipped $fullname: $reason"
}

# ------------------------------------------------------- the end of a file

proc finish_test {} {
  set tester::finished 1
  exit [expr {$tester::failed > 0}]
}

# One line per file; runtests.tcl reads it.
proc tester::summary {note} {
  variable count
  variable failed
  set line [format "%-5s %-24s %3d test%s" [expr {$failed ? "FAIL" : "ok"}] \
                $tester::file $count [expr {$count == 1 ? "" : "s"}]]
  if {$failed} { append line ", $failed failed" }
  if {$tester::skipped} { append line ", $tester::skipped skipped" }
  set ms [expr {[clock milliseconds] - $tester::start}]
  if {$ms >= 1000} { append line [format "  %.1f s" [expr {$ms / 1000.0}]] }
  if {$tester::seed ne ""} { append line "  seed $tester::seed" }
  puts $line$note
}

rename exit tester::exit_now
proc exit {{code 0}} {
  set note ""
  if {!$tester::finished} {
    # an error at file level, or the end without finish_test
    incr tester::count
    incr tester::failed
    set code 1
    set note "  (stopped before finish_test)"
  }
  if {$tester::failed && $tester::seed ne ""} {
    puts "    seed $tester::seed: SEED=$tester::seed repeats this run"
  }
  tester::summary $note
  tester::clean_up
  tester::exit_now $code
}

proc tester::clean_up {} {
  variable dir
  spawn_kill_all
  catch {db close}
  cd /
  if {$dir eq ""} return
  if {[info exists ::env(KEEP)] && $::env(KEEP) ni {"" 0}} {
    puts "    kept: $dir"
  } else {
    file delete -force $dir
  }
}

# ---------------------------------------------------- a small, full disk

# Mount a tmpfs of the given size (1M ...) and run body with its directory
# in the variable `tmpfs`. Where mounting is not allowed the tests in the
# body are reported as one skipped test.
proc with_tmpfs {size body} {
  upvar 1 tmpfs tmpfs
  set n [incr ::tester::tmpfs]
  set tmpfs [file join $tester::dir tmpfs$n]
  file mkdir $tmpfs
  if {[catch {
    exec mount -t tmpfs -o size=$size,mode=777 steward-test $tmpfs 2>@1
  } message]} {
    skip_test $::testprefix-tmpfs$n "cannot mount a small tmpfs: [lindex \
      [split $message \n] 0]"
    return
  }
  set code [catch {uplevel 1 $body} result options]
  if {[catch {exec umount $tmpfs 2>@1}]} {
    catch {exec umount -l $tmpfs 2>@1}
  }
  dict incr options -level
  return -options $options $result
}

# ------------------------------------------------------- other processes
#
#   set h [spawn_script { db eval {...}; say ready; hear; return 42 }]
#   spawn_read $h          next text that the child said (waits)
#   spawn_tell $h go       what hear returns in the child
#   spawn_wait $h          {0 42}, {1 message} or {killed ...}
#   spawn_results $hs      the results of many; an error if one failed
#   spawn_kill $h          kill -9, and wait until it is gone
#   spawn_script -n 4 ...  a list of four handles
#
# The script runs at global level of a tclsh with the library, in the test's
# directory; `db` is open on -db (test.db; "" for none) with the busy
# timeout -timeout (5000); $me is 0, 1 ... ; `sqlite3` loads the library.

set tester::child {
  lassign $argv tester me dbfile timeout script
  package require sqlite3
  source [file join $tester steward.tcl]
  rename sqlite3 sqlite3_stock
  proc sqlite3 {name args} {
    set result [uplevel 1 [list sqlite3_stock $name {*}$args]]
    if {![string match -* $name]} { steward::load $name }
    return $result
  }
  proc tell_parent {word text} {
    puts "$word [binary encode hex [encoding convertto utf-8 $text]]"
    flush stdout
  }
  proc say {text} { tell_parent say $text }
  proc hear {} { return [gets stdin] }
  proc child_main {} {
    global dbfile timeout script
    if {$dbfile ne ""} {
      uplevel #0 {sqlite3 db $dbfile; db timeout $timeout}
    }
    set f [open $script]
    fconfigure $f -encoding utf-8
    set text [read $f]
    close $f
    return [uplevel #0 $text]
  }
  set code [catch child_main result]
  catch {db close}
  tell_parent [expr {$code == 1 ? "failed" : "done"}] $result
}

proc spawn_script {args} {
  set opt [dict create -n "" -db test.db -timeout 5000]
  while {[llength $args] > 1} {
    set args [lassign $args name value]
    if {![dict exists $opt $name]} {
      return -code error "spawn_script: unknown option $name: use\
        [join [dict keys $opt] {, }]"
    }
    dict set opt $name $value
  }
  set bootstrap [file join $tester::dir child.tcl]
  if {![file exists $bootstrap]} {
    set f [open $bootstrap w]
    puts $f $tester::child
    close $f
  }
  set text [file join $tester::dir script[incr tester::scripts].tcl]
  set f [open $text w]
  fconfigure $f -encoding utf-8
  puts $f [lindex $args 0]
  close $f
  set n [expr {[dict get $opt -n] eq "" ? 1 : [dict get $opt -n]}]
  set handles {}
  for {set me 0} {$me < $n} {incr me} {
    set command [list [info nameofexecutable] $bootstrap $tester::tcldir $me \
                     [dict get $opt -db] [dict get $opt -timeout] $text]
    set h [open "|$command 2>@1" r+]
    fconfigure $h -buffering line -blocking 0
    set tester::spawned($h) [dict create said {} state running result "" \
                                 noise ""]
    fileevent $h readable [list tester::child_spoke $h]
    lappend handles $h
  }
  return [expr {[dict get $opt -n] eq "" ? [lindex $handles 0] : $handles}]
}

# A line from a child, or its end.
proc tester::child_spoke {h} {
  variable spawned
  while {[gets $h line] >= 0} {
    if {[regexp {^(say|done|failed) ([0-9a-f]*)$} $line -> word hex]} {
      set text [encoding convertfrom utf-8 [binary decode hex $hex]]
      if {$word eq "say"} {
        dict lappend spawned($h) said $text
      } else {
        dict set spawned($h) state $word
        dict set spawned($h) result $text
      }
    } else {
      dict append spawned($h) noise $line\n
    }
  }
  if {[eof $h]} {
    fconfigure $h -blocking 1
    if {[catch {close $h} message]
        && [dict get $spawned($h) state] eq "running"} {
      dict set spawned($h) result "$message [dict get $spawned($h) noise]"
    }
    if {[dict get $spawned($h) state] eq "running"} {
      dict set spawned($h) state killed
    }
    dict set spawned($h) closed 1
  }
}

# Serve events until a condition on child h holds; 0 after ms.
proc tester::await {h condition ms} {
  variable spawned
  set ::tester::late 0
  set timer [after $ms {set ::tester::late 1}]
  while {![expr $condition] && !$::tester::late} { update_or_wait }
  after cancel $timer
  return [expr $condition]
}

proc tester::update_or_wait {} {
  after 5 {set ::tester::tick 1}
  vwait ::tester::tick
}

proc spawn_read {h {ms 60000}} {
  tester::await $h {[llength [dict get $spawned($h) said]] > 0
                    || [dict exists $spawned($h) closed]} $ms
  set said [dict get $tester::spawned($h) said]
  if {[llength $said] == 0} {
    set state [dict get $tester::spawned($h) state]
    return -code error "spawn_read: nothing was said, the child is $state:\
      [dict get $tester::spawned($h) result]"
  }
  dict set tester::spawned($h) said [lrange $said 1 end]
  return [lindex $said 0]
}

proc spawn_tell {h text} {
  puts $h $text
}

proc spawn_wait {h {ms 120000}} {
  if {![tester::await $h {[dict exists $spawned($h) closed]} $ms]} {
    spawn_kill $h
    return [list killed "no end after $ms ms"]
  }
  set state [dict get $tester::spawned($h) state]
  set code [dict get {done 0 failed 1 killed killed} $state]
  return [list $code [dict get $tester::spawned($h) result]]
}

proc spawn_results {handles {ms 120000}} {
  set results {}
  set wrong {}
  foreach h $handles {
    lassign [spawn_wait $h $ms] code result
    lappend results $result
    if {$code ne "0"} { lappend wrong "child [llength $results]: $result" }
  }
  if {[llength $wrong]} { return -code error [join $wrong "; "] }
  return $results
}

proc spawn_kill {h} {
  if {[dict exists $tester::spawned($h) closed]} return
  foreach pid [pid $h] { catch {exec sh -c "kill -9 $pid"} }
  tester::await $h {[dict exists $spawned($h) closed]} 10000
  return
}

proc tester::spawn_kill_all {} {
  variable spawned
  foreach h [array names spawned] { spawn_kill $h }
}

# --------------------------------------------------- random, repeatable runs
#
#   model_seed                 seed from $SEED, else from the clock; printed
#                              at the end of the file; returns it
#   model_rand n               0 .. n-1
#   model_pick list            one element
#   model_shuffle list         the list in another order

proc model_seed {} {
  if {[info exists ::env(SEED)]
      && [string is wideinteger -strict $::env(SEED)]} {
    set tester::seed $::env(SEED)
  } else {
    set tester::seed [expr {([clock microseconds] ^ [pid]) % 1000000000}]
  }
  set tester::state [expr {$tester::seed & 0xffffffffffffffff}]
  model_rand 2
  return $tester::seed
}

# splitmix64: the same numbers on every machine and Tcl version
proc model_rand {n} {
  if {$tester::seed eq ""} { model_seed }
  set m 0xffffffffffffffff
  set tester::state [expr {($tester::state + 0x9e3779b97f4a7c15) & $m}]
  set z $tester::state
  set z [expr {(($z ^ ($z >> 30)) * 0xbf58476d1ce4e5b9) & $m}]
  set z [expr {(($z ^ ($z >> 27)) * 0x94d049bb133111eb) & $m}]
  return [expr {(($z ^ ($z >> 31)) >> 11) % $n}]
}

proc model_pick {list} {
  return [lindex $list [model_rand [llength $list]]]
}

proc model_shuffle {list} {
  for {set i [llength $list]} {$i > 1} {incr i -1} {
    set j [model_rand $i]
    set x [lindex $list $i-1]
    lset list $i-1 [lindex $list $j]
    lset list $j $x
  }
  return $list
}

# ------------------------------------------------------------------- start

set tester::dir [exec mktemp -d -t steward-test-XXXXXX]
cd $tester::dir
if {![file exists $env(STEWARD_SO)]} {
  error "$env(STEWARD_SO) does not exist: run make first"
}
reset_db
