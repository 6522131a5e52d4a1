# demo.tcl: a walk through all of Steward in the stock sqlite3 shell.
#
#   make demo                  on a database made from this machine's records
#   make demo DB=my.db         on a copy of my.db, which is never written
#   tclsh tcl/demo.tcl build/steward.so ?my.db?
#
# Each step runs a sqlite3 shell of its own on the same file, prints the
# statements, what came out of them and one line that says why, and checks the
# result. The exit status is 0 when every step gave what it should, 1 when one
# did not, 2 when there is nothing to walk through. KEEP=1 keeps the copy.
#
# demo_data.tcl makes the database, demo_steps.tcl and demo_services.tcl have
# the steps.

package require Tcl 8.6

set home [file dirname [file normalize [info script]]]

namespace eval demo {
  variable so ""        ;# the library, as .load takes it
  variable file ""      ;# the database of the walk, a copy or our own
  variable source ""    ;# DB=, or ""
  variable dir ""       ;# everything of ours lies here
  variable colour 0
  variable done {}      ;# {number title verdict ms why} of each step
  variable names {}     ;# what @words in statements stand for
  variable output ""    ;# what the last step printed
  variable strict 1     ;# our own database: results are known exactly
}

# ------------------------------------------------------------------ the shell

# Run a script in the stock shell. Options: -file path, -library 0|1,
# -mode column|list, -readonly 1. Returns {exit-code text}.
proc demo::shell {sql args} {
  variable so
  variable file
  set opt [dict merge [list -file $file -library 1 -mode list -readonly 0 \
                           -headers off] $args]
  set command [list sqlite3 -batch -bail -init /dev/null]
  if {[dict get $opt -readonly]} { lappend command -readonly }
  lappend command -cmd ".timeout 5000" -cmd ".headers [dict get $opt -headers]"
  lappend command -cmd ".mode [dict get $opt -mode]"
  if {[dict get $opt -library]} { lappend command -cmd ".load [dot_quote $so]" }
  # a UTF-16 file wants to be read before the first function (see README)
  lappend command -cmd "SELECT 1 FROM sqlite_schema WHERE 0;"
  lappend command [dict get $opt -file]
  set f [open "|$command 2>@1" r+]
  fconfigure $f -encoding utf-8 -translation lf
  # a shell that has stopped at an error does not read the rest
  catch {puts $f $sql; flush $f; chan close $f write}
  set text [read $f]
  fconfigure $f -blocking 1
  set code [expr {[catch {close $f} message options] ?
                  [child_status $options] : 0}]
  # columns are padded to their width, the last one too
  regsub -all -line {[ \t]+$} $text {} text
  return [list $code [string trimright $text]]
}

proc demo::child_status {options} {
  set code [dict get $options -errorcode]
  return [expr {[lindex $code 0] eq "CHILDSTATUS" ? [lindex $code 2] : 255}]
}

# An argument of a dot command.
proc demo::dot_quote {text} {
  return "\"[string map {\\ \\\\ \" \\\"} $text]\""
}

# The result of a query for the demo's own use; an error ends the demo.
proc demo::ask {sql args} {
  lassign [shell $sql {*}$args] code text
  if {$code} { error "demo: [string map {\n { }} $text]" }
  return $text
}

# ---------------------------------------------------------------- the printing

proc demo::paint {how text} {
  variable colour
  if {!$colour} { return $text }
  set number [dict get {bold 1 dim 2 bad 31 good 32} $how]
  return "\x1b\[${number}m$text\x1b\[0m"
}

# How many characters of a line to print: all, or up to a blank, if there is
# one in the second half of the width.
proc demo::break_at {line width} {
  if {[string length $line] <= $width} { return [string length $line] }
  set blank [string last " " $line $width-1]
  return [expr {$blank >= $width / 2 ? $blank + 1 : $width}]
}

# Print a text between two margins; a line that is too long goes on below.
proc demo::print {text {indent ""} {how ""}} {
  set width [expr {79 - [string length $indent]}]
  foreach line [split $text \n] {
    set line [string trimright [string map [list \t "        "] $line]]
    while {1} {
      set n [break_at $line $width]
      set part [string trimright [string range $line 0 $n-1]]
      puts $indent[expr {$how eq "" ? $part : [paint $how $part]}]
      set line [string range $line $n end]
      if {$line eq ""} break
    }
  }
}

# Words of a sentence, in lines of at most 79 characters.
proc demo::print_prose {text indent} {
  set line $indent
  foreach word [split [string trim [regsub -all {\s+} $text { }]] { }] {
    if {[string length $line] + [string length $word] > 78
        && [string trim $line] ne ""} {
      puts $line
      set line $indent
    }
    append line [expr {[string trim $line] eq "" ? "" : " "}] $word
  }
  puts $line
}

# Statements as the shell shows them when they are typed.
proc demo::print_statements {sql} {
  set fresh 1
  foreach line [split $sql \n] {
    puts "  [paint dim [expr {$fresh ? "sqlite> " : "   ...> "}]]$line"
    set fresh [regexp {;\s*$|^\.} $line]
  }
}

proc demo::section {title} {
  puts "\n[paint bold "== $title [string repeat = \
      [expr {75 - [string length $title]}]]"]"
}

# -------------------------------------------------------------------- the steps

# Put the names of this walk into a text: @items, @cache ...
proc demo::named {text} {
  variable names
  return [string map $names $text]
}

# Take the common margin off a block of SQL.
proc demo::dedent {text} {
  set lines [split [string trim $text \n] \n]
  set margin 1000
  foreach line $lines {
    if {[string trim $line] eq ""} continue
    regexp {^ *} $line lead
    set margin [expr {min($margin, [string length $lead])}]
  }
  set lines [lmap line $lines {
    string trimright [string range $line $margin end]
  }]
  return [string trimright [join $lines \n]]
}

# One step: run it, print it, check it.
#   step title why sql expected ?-library 0? ?-error 1? ?-mode list? ...
# expected: regular expressions, all of which the output must match. With
# -error 1 the statements must be refused, and the message match; an expression
# that begins with ! must not match. In a foreign database -foreign has the
# expressions instead. -check is a script whose result is what is wrong, or "".
proc demo::step {title why sql expected args} {
  variable done
  variable output
  variable strict
  set opt [dict merge {-error 0 -library 1 -mode column -headers on
                       -foreign "" -shown "" -check {}} $args]
  set sql [named [dedent $sql]]
  if {!$strict && [dict get $opt -foreign] ne ""} {
    set expected [dict get $opt -foreign]
  }
  set number [expr {[llength $done] + 1}]
  puts "\n[paint bold "$number. $title"]"
  print_prose [named $why] "   "
  print_statements \
      [expr {[dict get $opt -shown] eq "" ? $sql : [dict get $opt -shown]}]
  set began [clock milliseconds]
  lassign [shell $sql -library [dict get $opt -library] \
               -mode [dict get $opt -mode] -headers [dict get $opt -headers]] \
      code text
  set ms [expr {[clock milliseconds] - $began}]
  set output $text
  if {$text ne ""} { print $text "  " }
  set wrong [judge $code $text [dict get $opt -error] $expected]
  if {$wrong eq ""} { set wrong [uplevel 1 [dict get $opt -check]] }
  return [record $title $ms $wrong]
}

# Why a result is not what it should be; "" when it is.
proc demo::judge {code text error expected} {
  if {$error && $code == 0} { return "it should have been refused" }
  if {!$error && $code != 0} { return "the shell ended with status $code" }
  foreach re $expected {
    set not [regexp {^!(.*)} $re -> re]
    if {[regexp -- [named $re] $text] == $not} {
      set verb [expr {$not ? "matches" : "does not match"}]
      return "the output $verb [named $re]"
    }
  }
  return ""
}

# Note what came of a step.
proc demo::record {title ms wrong {verdict ""}} {
  variable done
  if {$verdict eq ""} { set verdict [expr {$wrong eq "" ? "ok" : "FAILED"}] }
  lappend done [list [expr {[llength $done] + 1}] $title $verdict $ms $wrong]
  if {$verdict eq "FAILED"} { print "FAILED: $wrong" "  " bad }
  return $verdict
}

# Did any step so far fail?
proc demo::failed {} {
  variable done
  return [expr {[lsearch -exact -index 2 $done FAILED] >= 0}]
}

# A step that is not run here, and why.
proc demo::skip {title why} {
  variable done
  puts "\n[paint bold "[expr {[llength $done] + 1}]. $title"]"
  print_prose "Skipped: $why" "   "
  record $title 0 $why skipped
}

proc demo::print_summary {} {
  variable done
  section "Summary"
  set bad 0
  set total 0
  foreach entry $done {
    lassign $entry number title verdict ms why
    incr bad [expr {$verdict eq "FAILED"}]
    incr total $ms
    set how [dict get {ok good FAILED bad skipped dim} $verdict]
    puts [format " %2d  %-52s %s %6d ms" $number [string range $title 0 51] \
              [paint $how [format %-8s $verdict]] $ms]
    if {$verdict eq "FAILED"} { print $why "       " }
  }
  puts [format "\n%d steps, %d failed, %.1f s in the shell" [llength $done] \
            $bad [expr {$total / 1000.0}]]
  return $bad
}

# -------------------------------------------------------------------- the whole

proc demo::say_and_exit {message} {
  puts stderr "demo: $message"
  clean_up
  exit 2
}

proc demo::clean_up {} {
  variable dir
  if {$dir eq ""} return
  if {[info exists ::env(KEEP)] && $::env(KEEP) ni {"" 0}} {
    puts "kept: $dir"
  } else {
    file delete -force $dir
  }
}

proc demo::is_tty {} {
  return [expr {![catch {exec test -t 1 >@stdout}]
                && ![info exists ::env(NO_COLOR)]}]
}

proc demo::main {argv} {
  variable so
  variable source
  variable dir
  variable colour [is_tty]
  fconfigure stdout -encoding utf-8 -buffering line
  set library [lindex [concat $argv build/steward.so] 0]
  if {![file exists $library]} { say_and_exit "no $library: run make first" }
  set so [file rootname [file normalize $library]]
  set source [lindex $argv 1]
  if {[info exists ::env(DB)] && $::env(DB) ne ""} { set source $::env(DB) }
  set dir [exec mktemp -d -t steward-demo-XXXXXX]
  if {[catch {make_database} message]} { say_and_exit $message }
  if {[catch {walk} message options]} {
    puts stderr [dict get $options -errorinfo]
    record "the walk itself" 0 $message
  }
  set bad [print_summary]
  clean_up
  exit [expr {$bad > 0}]
}

source [file join $home demo_data.tcl]
source [file join $home demo_steps.tcl]
source [file join $home demo_services.tcl]
if {[info exists argv0]
    && [file normalize $argv0] eq [file normalize [info script]]} {
  demo::main $argv
}
