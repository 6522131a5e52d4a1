# steward.tcl: the Tcl package `steward`, for scripts that use the extension
# through Tcl's own sqlite3 package.
#
#   package require sqlite3
#   package require steward
#   sqlite3 db my.db
#   steward::load db -sets {delivery jobs}
#   db eval {SELECT delivery_publish('mail', 'hello')}
#   steward::each db {SELECT * FROM delivery_queue} {
#     puts "$row(position) $row(payload)"
#   }
#
# Everything else is SQL. The procs:
#
#   steward::load db ?-library path? ?-sets list? ?-clock ms? ?-timeout ms?
#   steward::version ?db?     of the library loaded in db, or of the package
#   steward::library          the library's path
#   steward::now db           the connection's clock, Unix ms
#   steward::pin db ms        pin that clock ...
#   steward::advance db ms    ... and move it on; returns the new time
#   steward::unpin db         back to the real clock
#   steward::each db sql body for each row: array `row` is set, body runs
#   steward::code message     the code of an error message: BUSY, NOT_FOUND ...

package require Tcl 8.6

namespace eval steward {
  # Where this file lies: the library is looked for from here.
  variable home [file dirname [file normalize [info script]]]
}

# The path of the library: $STEWARD_SO; where `make install` puts it
# (<lib>/tcltk/steward<version>/steward.tcl beside <lib>/steward.so); or the
# build directory of the source tree that this file lies in.
proc steward::library {} {
  variable home
  if {[info exists ::env(STEWARD_SO)] && $::env(STEWARD_SO) ne ""} {
    return [file normalize $::env(STEWARD_SO)]
  }
  set places [list [file join $home .. .. steward.so] \
                  [file join $home .. build steward.so]]
  foreach place $places {
    if {[file exists $place]} { return [file normalize $place] }
  }
  return -code error "steward: no steward.so in\
    [join [lmap p $places {file normalize $p}] { nor }]: set STEWARD_SO or\
    say -library path"
}

# Load the library into a connection. Loading touches nothing in the file;
# -sets installs the sets named (migrate_up), -clock pins the clock, -timeout
# sets the busy timeout, all in ms. Loading once more is harmless. Returns
# the library's version.
proc steward::load {db args} {
  set opt [dict create -library "" -sets {} -clock "" -timeout ""]
  if {[llength $args] % 2} {
    return -code error "steward::load: [lindex $args end] has no value"
  }
  foreach {name value} $args {
    if {![dict exists $opt $name]} {
      return -code error "steward::load: unknown option $name: use\
        [join [dict keys $opt] {, }]"
    }
    dict set opt $name $value
  }
  foreach name {-clock -timeout} {
    set value [dict get $opt $name]
    if {$value ne "" && ![string is wideinteger -strict $value]} {
      return -code error "steward::load: $name is in milliseconds,\
        not '$value'"
    }
  }
  set so [dict get $opt -library]
  if {$so eq ""} { set so [library] }
  $db enable_load_extension 1
  set failed [catch {$db eval {SELECT load_extension($so)}} message]
  $db enable_load_extension 0
  if {$failed} { return -code error "steward::load: $message" }

  if {[dict get $opt -timeout] ne ""} {
    $db timeout [dict get $opt -timeout]
  }
  if {[dict get $opt -clock] ne ""} { pin $db [dict get $opt -clock] }
  foreach set [dict get $opt -sets] {
    $db eval {SELECT migrate_up($set)}
  }
  return [version $db]
}

proc steward::version {{db ""}} {
  if {$db eq ""} { return [package provide steward] }
  return [$db onecolumn {SELECT steward_version()}]
}

proc steward::now {db} {
  return [$db onecolumn {SELECT steward_now()}]
}

proc steward::pin {db ms} {
  if {![string is wideinteger -strict $ms]} {
    return -code error "steward::pin: the time is in Unix milliseconds,\
      not '$ms'"
  }
  # a number, not its text: Tcl would bind whatever the value last was
  set ms [expr {wide($ms)}]
  $db eval {SELECT steward_clock($ms)}
  return $ms
}

proc steward::advance {db ms} {
  return [pin $db [expr {[now $db] + $ms}]]
}

proc steward::unpin {db} {
  $db eval {SELECT steward_clock(NULL)}
  return
}

# Run body for each row of a query, in the caller's scope, with the row's
# columns in the array `row` (row(*) lists their names, in order). Rows are
# fetched one by one, so a table larger than memory is fine; break, continue,
# return and errors in the body do what they do in a loop. Variables in the
# SQL ($x, :x, @x) are the caller's.
proc steward::each {db sql body} {
  upvar 1 row row
  unset -nocomplain row
  set code [catch {uplevel 1 [list $db eval $sql row $body]} result options]
  if {$code == 0} return
  dict incr options -level
  return -options $options $result
}

# The code in front of a refusal, for try/on error and switch:
#   LEASE_LOST: job_complete: the lease ...   ->   LEASE_LOST
# Empty when SQLite itself raised the error.
proc steward::code {message} {
  if {[regexp {^([A-Z][A-Z_]+): } $message -> code]} { return $code }
  return ""
}
