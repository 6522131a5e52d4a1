# runtests.tcl: run the tests and sum up.
#
#   tclsh tcl/runtests.tcl build/steward.so build/tests
#
# Every tests/*.test in its own tclsh, JOBS (2) at a time, with a limit of
# TIMEOUT (600) seconds each; then the C tests that were built into the second
# directory: all but bench* and fuzz. TESTS="delivery ttl*" selects by
# name. The last line is `N passed, N failed`, with `, N skipped` if any.
# TEST_PRELOAD is put into LD_PRELOAD of the .test files (for ASan).

set root [file dirname [file dirname [file normalize [info script]]]]
set so [file normalize [lindex [concat $argv $root/build/steward.so] 0]]
set cdir [file normalize [lindex [concat $argv {- - }] 1]]
if {[llength $argv] < 2} { set cdir $root/build/tests }

proc setting {name default} {
  if {[info exists ::env($name)] && [string trim $::env($name)] ne ""} {
    return [string trim $::env($name)]
  }
  return $default
}

proc selected {name} {
  set patterns [setting TESTS ""]
  if {$patterns eq ""} { return 1 }
  foreach p $patterns {
    regsub {\.(test|c)$} [file tail $p] {} p
    if {[string match $p $name]} { return 1 }
  }
  return 0
}

set limit [setting TIMEOUT 600]
set jobs [setting JOBS 2]
set preload [setting TEST_PRELOAD ""]
set env(STEWARD_SO) $so
set passed 0
set failed 0
set skipped 0
set broken {}

# An error in this script must not leave it waiting.
proc bgerror {message} {
  puts stderr "runtests.tcl: $::errorInfo"
  exit 2
}

# What is to be done: a list of {kind name path ?arguments?}; the C tests take
# longest, and one of them is run in parts.
set parts {fault 4}
set queue {}
foreach source [lsort [glob -nocomplain $root/tests/*.c]] {
  set name [file rootname [file tail $source]]
  if {$name in {fuzz pool_example} || [string match bench* $name]
      || [string match ext_* $name]} continue
  if {![selected $name] || ![file executable $cdir/$name]} continue
  if {[dict exists $parts $name]} {
    set n [dict get $parts $name]
    for {set i 1} {$i <= $n} {incr i} {
      lappend queue [list c $name-$i $cdir/$name $i/$n]
    }
  } else {
    lappend queue [list c $name $cdir/$name]
  }
}
foreach path [lsort [glob -nocomplain $root/tests/*.test]] {
  set name [file rootname [file tail $path]]
  if {[selected $name]} { lappend queue [list test $name $path] }
}

proc start {kind name path args} {
  global env so limit preload running output
  set command [list env]
  if {$kind eq "test"} {
    if {$preload ne ""} { lappend command LD_PRELOAD=$preload }
    set asan detect_leaks=0
    set run [list [info nameofexecutable] $path]
  } else {
    set asan detect_leaks=1
    set run [list $path $so {*}$args]
  }
  if {![info exists env(ASAN_OPTIONS)]} {
    lappend command ASAN_OPTIONS=$asan
  }
  # timeout makes a process group of its own and ends all of it
  lappend command timeout -k 5 $limit {*}$run
  set f [open "|$command 2>@1" r]
  fconfigure $f -blocking 0 -translation auto -encoding utf-8
  set output($f) ""
  set running($f) [list $kind $name [clock milliseconds]]
  fileevent $f readable [list collect $f]
}

proc collect {f} {
  global running output progress
  append output($f) [read $f]
  if {![eof $f]} return
  fconfigure $f -blocking 1
  set status [catch {close $f} message options]
  set code {}
  if {$status} { set code [dict get $options -errorcode] }
  lassign $running($f) kind name began
  unset running($f)
  finished $kind $name $output($f) $status $code \
      [expr {[clock milliseconds] - $began}]
  unset output($f)
  incr progress
}

# Print what a test said and count it.
proc finished {kind name text status code ms} {
  global passed failed skipped broken
  set text [string trimright $text]
  set lines [split $text \n]
  set last [lindex $lines end]
  set p 0; set x 0; set s 0
  set counted 1
  if {$kind eq "test" && [regexp {^(?:ok|FAIL)\s+\S+\s+(\d+) tests?(?:, (\d+)\
        failed)?(?:, (\d+) skipped)?} $last -> n x s]} {
    set x [expr {$x eq "" ? 0 : $x}]
    set s [expr {$s eq "" ? 0 : $s}]
    set p [expr {$n - $x}]
  } elseif {$kind eq "c" && [regexp {^(\d+) passed, (\d+) failed(?:, (\d+)\
        skipped)?$} $last -> p x s]} {
    set s [expr {$s eq "" ? 0 : $s}]
  } else {
    set counted 0
  }
  # A bad end that the counts do not tell: one more failure.
  set why ""
  if {$status && !($counted && $x > 0)} {
    incr x
    set why [reason $code $ms]
  } elseif {!$counted} {
    incr x
    set why "no summary as its last line"
  }
  if {$kind eq "test" && $counted && $why eq ""} {
    puts $text
  } else {
    set keep [expr {$x || $::env(VERBOSE_C) ? $lines : {}}]
    if {$kind eq "c" && $counted} { set keep [lrange $keep 0 end-1] }
    if {[llength $keep] > 1000} {
      set keep [concat [lrange $keep 0 499] [list "..."] \
                    [lrange $keep end-499 end]]
    }
    foreach line $keep { puts "    $line" }
    set line [format "%-5s %-24s %3d test%s" [expr {$x ? "FAIL" : "ok"}] \
        [expr {$kind eq "c" ? "$name.c" : "$name.test"}] [expr {$p + $x}] \
        [expr {$p + $x == 1 ? "" : "s"}]]
    if {$x} { append line ", $x failed" }
    if {$s} { append line ", $s skipped" }
    if {$ms >= 1000} { append line [format "  %.1f s" [expr {$ms / 1000.0}]] }
    if {$why ne ""} { append line "  ($why)" }
    puts $line
  }
  flush stdout
  incr passed $p
  incr failed $x
  incr skipped $s
  if {$x} { lappend broken $name }
}

# Why a process ended badly, from Tcl's errorCode.
proc reason {code ms} {
  global limit
  switch -- [lindex $code 0] {
    CHILDSTATUS {
      set status [lindex $code 2]
      if {$status == 124 || $ms >= $limit * 1000} { return "time-out after $limit s" }
      if {$status > 128} { return "signal [expr {$status - 128}]" }
      return "exit status $status"
    }
    CHILDKILLED {
      if {$ms >= $limit * 1000} { return "time-out after $limit s" }
      return "killed: [lindex $code 2]"
    }
  }
  return "ended badly"
}

set env(VERBOSE_C) [expr {[setting VERBOSE 0] ne "0"}]
fconfigure stdout -encoding utf-8
# Directories of tests that were killed go with this one.
set tmp [exec mktemp -d -t steward-tests-XXXXXX]
set env(TMPDIR) $tmp
set began [clock milliseconds]
set progress 0
set todo $queue
while {[llength $todo] || [array size running]} {
  while {[llength $todo] && [array size running] < $jobs} {
    set todo [lassign $todo next]
    start {*}$next
  }
  vwait progress
}
if {[llength $queue] == 0} {
  puts "no test is called [setting TESTS {anything: tests/ is empty}]"
  incr failed
}
if {[setting KEEP 0] eq "0"} {
  catch {file delete -force $tmp}
} else {
  puts "kept: $tmp"
}
puts [format "%.1f s" [expr {([clock milliseconds] - $began) / 1000.0}]]
if {[llength $broken]} { puts "failed in: [join $broken {, }]" }
set line "$passed passed, $failed failed"
if {$skipped} { append line ", $skipped skipped" }
puts $line
exit [expr {$failed > 0}]
