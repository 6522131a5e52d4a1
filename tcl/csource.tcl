# csource.tcl: what embed.tcl and docs.tcl share: errors that name file and
# line, C literals of any length, and outputs that are only rewritten when
# their content changed (so that make does not recompile for nothing).

namespace eval csource {
  variable errors 0
  variable arrays ""
  variable narray 0

  # A C99 compiler promises 4095 characters per literal, counted after
  # adjacent literals are joined; -Wpedantic complains beyond.
  variable limit 4000
}

# Say what is wrong where, in the form that editors and CI understand, and
# go on: one run shows every error.
proc csource::error {file line message} {
  variable errors
  puts stderr "$file:$line: error: $message"
  incr errors
}

# Stop when anything was wrong, before any output is written.
proc csource::stop_on_errors {} {
  variable errors
  if {$errors > 0} {
    puts stderr "$errors error[expr {$errors == 1 ? "" : "s"}], no output\
                 written"
    exit 1
  }
}

# The whole file as bytes (each char is one byte, 0..255).
proc csource::read {file} {
  if {[catch {open $file rb} f]} {
    puts stderr "$file:1: error: $f"
    exit 1
  }
  set bytes [::read $f]
  close $f
  set at [string first \0 $bytes]
  if {$at >= 0} {
    set line [llength [split [string range $bytes 0 $at] \n]]
    error $file $line "a NUL byte: this is not a text file"
  }
  return $bytes
}

# Write bytes to file unless it already holds exactly these.
proc csource::write {file bytes} {
  if {[file exists $file]} {
    set f [open $file rb]
    set old [::read $f]
    close $f
    if {$old eq $bytes} return
  }
  file mkdir [file dirname $file]
  set f [open $file.new wb]
  puts -nonewline $f $bytes
  close $f
  file rename -force $file.new $file
}

# A C expression for a text given as bytes: a literal, one line per line of
# text, or the name of a char array (see arrays_c) when it is too long.
proc csource::text {bytes {indent "    "}} {
  variable limit
  if {[string length $bytes] > $limit} {
    return [array_of $bytes]
  }
  set out {}
  set rest $bytes
  while {[set nl [string first \n $rest]] >= 0} {
    lappend out "\"[escape [string range $rest 0 $nl]]\""
    set rest [string range $rest $nl+1 end]
  }
  if {$rest ne "" || [llength $out] == 0} {
    lappend out "\"[escape $rest]\""
  }
  return [join $out "\n$indent"]
}

# Escape for the inside of a C literal. Octal escapes have three digits, so
# that a following digit is never taken in; ?? is broken up because -std=c11
# still knows trigraphs.
proc csource::escape {bytes} {
  set s [string map [list \\ \\\\ \" \\\" \n \\n \t \\t \r \\r ?? ?\\?] $bytes]
  # string map does not look again at its own output: ??? gives ?\?? here
  set s [string map [list ?? ?\\?] $s]
  if {![regexp {[^\x20-\x7e]} $s]} {
    return $s
  }
  set out ""
  foreach c [split $s ""] {
    scan $c %c n
    append out [expr {$n < 32 || $n > 126 ? [format \\%03o $n] : $c}]
  }
  return $out
}

# Remember a long text as a static char array and return its name. Bytes
# above 127 are character constants, right whatever the sign of char is.
proc csource::array_of {bytes} {
  variable arrays
  variable narray
  set name text_[incr narray]
  append arrays "static const char $name\[\] = \{"
  binary scan $bytes cu* numbers
  lappend numbers 0
  set i 0
  foreach n $numbers {
    append arrays [expr {$i % 16 == 0 ? "\n  " : " "}]
    append arrays [expr {$n > 127 ? [format '\\%03o' $n] : $n}],
    incr i
  }
  append arrays "\n\};\n\n"
  return $name
}

# The arrays remembered since the last call, as C.
proc csource::arrays_c {} {
  variable arrays
  set all $arrays
  set arrays ""
  return $all
}
