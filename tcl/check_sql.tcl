# check_sql.tcl: is all of our SQL sound?
#
#   tclsh tcl/check_sql.tcl build/steward.so sql/*.sql sql/migrations/*/*.sql
#
# On the stock SQLite without the library: every migration goes up, up again
# (idempotent), down to an empty schema, and up once more. Then, with the
# library loaded and all sets installed, every named statement prepares.

package require sqlite3
source [file join [file dirname [info script]] embed.tcl]

set so [file normalize [lindex $argv 0]]
read_all [lrange $argv 1 end]

# Names of what a connection's schema holds.
proc objects {} {
  return [db eval {SELECT type || ' ' || name FROM sqlite_schema
                    WHERE name NOT LIKE 'sqlite_%' ORDER BY 1}]
}

# Without the ALTER TABLEs whose column is there already, or gone already:
# the library passes over them, as SQLite knows no ADD COLUMN IF NOT EXISTS.
proc without_columns {sql} {
  set re {ALTER TABLE (\w+) (ADD|DROP) COLUMN (\w+)[^;]*;}
  foreach {all table what column} [regexp -all -inline $re $sql] {
    set there [db exists {SELECT 1 FROM pragma_table_xinfo($table)
                           WHERE name = $column}]
    if {$there == ($what eq "ADD")} {
      set at [string first $all $sql]
      set sql [string replace $sql $at \
                   [expr {$at + [string length $all] - 1}]]
    }
  }
  return $sql
}

# Run one direction of one step and report where it failed.
proc run_step {step direction} {
  lassign $step set version name id description author created library up down
  set base [lindex $step 10]
  set $direction [without_columns [set $direction]]
  if {[catch {db eval [set $direction]} message]} {
    csource::error $base.$direction.sql 1 $message
  }
}

sqlite3 db :memory:
foreach step $Step { run_step $step up }
set first [objects]
foreach step $Step { run_step $step up }
if {[objects] ne $first} {
  csource::error sql/migrations 1 "a second up adds objects"
}
# twice each, while what it stands on is there
foreach step [lreverse $Step] { run_step $step down; run_step $step down }
set left [objects]
if {[llength $left]} {
  csource::error sql/migrations 1 "down leaves behind: [join $left {, }]"
}
foreach step $Step { run_step $step up }
db close

# Installed by the library itself: bookkeeping and systables included.
sqlite3 db :memory:
db enable_load_extension 1
db eval {SELECT load_extension($so)}
foreach set [lsort -unique [lmap step $Step { lindex $step 0 }]] {
  if {[catch {db eval {SELECT migrate_up($set)}} message]} {
    csource::error sql/migrations/$set 1 "migrate_up('$set'): $message"
  }
}
foreach statement $Statement {
  lassign $statement name set hot where sql
  lassign [split $where :] file line
  # one by one: a script has several, and only EXPLAIN leaves them unrun
  foreach part [statements $file $sql] {
    if {[catch {db eval "EXPLAIN [lindex $part 1]"} message]} {
      csource::error $file $line "$name: $message"
    }
  }
}
db close

csource::stop_on_errors
puts "  [llength $Statement] statements, [llength $Step] steps"
