# docs.tcl: the docstrings in the C sources become the table steward_help
# and the reference.
#
#   tclsh tcl/docs.tcl build/steward_help.c ext/*.c vtab/*.c
#   tclsh tcl/docs.tcl build/reference.md ext/*.c vtab/*.c
#
# A docstring is a comment that starts in column 0 with the signature:
#
#   /* delivery_ack(consumer TEXT, position INTEGER) -> INTEGER       plain
#   ** Summary, up to the first label.
#   ** Set: delivery
#   ** Errors: "NOT_FOUND: delivery_ack: ..." when ...
#   ** Source: seed 000.     Test: delivery-3.*
#   ** Example: SELECT migrate_up('delivery');
#   **   SELECT delivery_publish('mail', 'hello'); -- 1
#   */
#
# The signature may wrap; it ends with the line whose last word is its kind:
# innocuous, plain or directonly for a function, table for a table.

source [file join [file dirname [info script]] csource.tcl]

set Kinds {innocuous plain directonly table}
set Labels {Set Errors Source Test Columns Example}

# The comments of a file that may be docstrings: a list of {line lines}.
proc comments {file} {
  set out {}
  set cur {}
  set in 0
  set n 0
  foreach line [split [csource::read $file] \n] {
    incr n
    set line [string trimright $line]
    if {!$in && [regexp {^/\*\s+[a-z_][a-z0-9_]*\(} $line]} {
      set in 1
      set start $n
      set cur {}
      set line [string range $line 2 end]
    } elseif {$in} {
      regsub {^\s*\*\*? ?} $line {} line2
      # "*/" alone on its line loses its star to the prefix
      set line [expr {[regexp {^\s*\*+/} $line] ? "*/" : $line2}]
    }
    if {$in} {
      set end [string first */ $line]
      if {$end >= 0} {
        set line [string trimright [string range $line 0 $end-1]]
        set in 0
      }
      lappend cur $line
      if {!$in} {
        while {[llength $cur] > 1 && [lindex $cur end] eq ""} {
          set cur [lrange $cur 0 end-1]
        }
        lappend out [list $start $cur]
      }
    }
  }
  if {$in} { csource::error $file $start "a comment that is never closed" }
  return $out
}

# Lines -> one paragraph per blank-separated block, lines joined.
proc flow {lines} {
  set paras {}
  set cur ""
  foreach line [concat $lines [list ""]] {
    set line [string trim $line]
    if {$line eq ""} {
      if {$cur ne ""} { lappend paras $cur }
      set cur ""
    } else {
      append cur [expr {$cur eq "" ? "" : " "}] $line
    }
  }
  return [join $paras \n]
}

# Example lines: common indentation of the lines after the first removed.
proc dedent {lines} {
  set margin 1000
  foreach line [lrange $lines 1 end] {
    if {[string trim $line] eq ""} continue
    regexp {^\s*} $line lead
    set margin [expr {min($margin, [string length $lead])}]
  }
  set out [list [string trim [lindex $lines 0]]]
  foreach line [lrange $lines 1 end] {
    lappend out [string range $line $margin end]
  }
  while {[llength $out] > 0 && [lindex $out 0] eq ""} {
    set out [lrange $out 1 end]
  }
  return [join $out \n]
}

# One docstring -> the global list Entry, or nothing for a comment that is
# not meant as one.
proc read_doc {file at lines} {
  global Kinds Labels Entry Seen
  # A comment with an arrow or a label is meant as a docstring.
  set all [join $lines \n]
  set meant [expr {[string match {*) ->*} [lindex $lines 0]]
                   || [regexp {(?n)^\s*(Errors|Example|Set):} $all]}]

  # The signature: up to the line that ends in a kind.
  set signature ""
  set kind ""
  set n 0
  foreach line $lines {
    incr n
    if {[string trim $line] eq ""} break
    append signature [expr {$signature eq "" ? "" : " "}] [string trim $line]
    set word [lindex [regexp -inline {\S+$} $line] 0]
    if {$word in $Kinds} {
      set kind $word
      break
    }
  }
  regsub -all {\s+} $signature " " signature
  set signature [string trim [string range $signature 0 \
      end-[string length $kind]]]
  regexp {^[a-z_][a-z0-9_]*} $signature name
  set shape [expr {[string match {*) -> ?*} $signature]
                   || ($kind eq "table" && [string match *) $signature])}]
  set opened [regexp -all {\(} $signature]
  set closed [regexp -all {\)} $signature]
  if {$kind eq "" || !$shape || $opened != $closed} {
    if {!$meant} return
    if {$kind eq ""} {
      csource::error $file $at "the signature of '$name' does not end with\
        its kind: [join $Kinds { | }]"
    } else {
      csource::error $file $at "the signature of '$name' should read\
        name(arguments) -> result   kind, or name(columns)   table"
    }
    return
  }

  # The rest: the summary and the labelled parts.
  set part Summary
  foreach line [lrange $lines $n end] {
    set label "^\\s*([join $Labels |]):(\\s+(.*))?$"
    if {[regexp $label $line -> word - rest]} {
      if {[info exists text($word)]} {
        csource::error $file $at "'$name' has two parts '$word:'"
      }
      set part $word
      set line $rest
    }
    # "Source: ...   Test: job-2.*": a second label after a wide gap
    while {$part ne "Example"
           && [regexp "^(.*?\\S)\\s\\s+([join $Labels |]):\\s+(.*)$" \
                   $line -> before word rest]} {
      lappend text($part) $before
      set part $word
      set line $rest
    }
    lappend text($part) $line
  }
  foreach p [concat Summary $Labels] {
    if {![info exists text($p)]} { set text($p) {} }
    if {$p ne "Example"} { set text($p) [flow $text($p)] }
  }
  if {$text(Example) ne ""} { set text(Example) [dedent $text(Example)] }
  if {$text(Summary) eq ""} {
    csource::error $file $at "'$name' has no summary"
  }
  if {$text(Set) eq ""} { set text(Set) none }
  if {![regexp {^[a-z][a-z0-9_]*$} $text(Set)]} {
    csource::error $file $at "'$name': Set is one word, not '$text(Set)'"
  }
  set type [expr {$kind eq "table" ? "table" : "function"}]
  if {[info exists Seen($type,$name)]} {
    csource::error $file $at "$type '$name' has a docstring already, at\
      $Seen($type,$name)"
  }
  set Seen($type,$name) $file:$at
  lappend Entry [dict create name $name kind $type \
      risk [expr {$kind eq "table" ? "" : $kind}] signature $signature \
      summary $text(Summary) columns $text(Columns) errors $text(Errors) \
      source $text(Source) test $text(Test) example $text(Example) \
      set $text(Set) where $file:$at word [file rootname [file tail $file]]]
}

# C for the table steward_help. Columns have no field of their own there.
proc help_c {} {
  global Entry
  set rows ""
  foreach e $Entry {
    dict with e {}
    if {$columns ne ""} { append summary \nColumns: " " $columns }
    append rows "  \{\"$name\", \"$kind\", \"$risk\",\n"
    foreach t [list $signature $summary $errors $source $example] {
      append rows "    [csource::text $t],\n"
    }
    append rows "    \"$set\", \"$where\"\},\n"
  }
  set c "/* Generated by tcl/docs.tcl from the docstrings: do not edit. */\n"
  append c "#include \"steward_int.h\"\n\n"
  append c [csource::arrays_c]
  append c "const StewardHelp steward_help_rows\[\] = \{\n"
  append c [expr {$rows eq "" ? "  {0}\n" : $rows}]
  append c "\};\nconst int steward_help_count = [llength $Entry];\n"
  return $c
}

# The reference: one section per file name, contents first.
proc reference_md {} {
  global Entry
  set words {}
  foreach e $Entry {
    set w [dict get $e word]
    if {![dict exists $words $w]} { dict set words $w {} }
    dict lappend words $w $e
  }
  set md "# Steward: reference\n\nGenerated from the sources by `make docs`;\
    the table `steward_help` holds the same.\n\nRisk: *innocuous* depends on\
    its arguments alone; *plain* may be used in triggers\nand views unless\
    `trusted_schema` is off; *directonly* only in statements of your own.\n\n"
  dict for {w entries} $words {
    append md "- $w:"
    set sep " "
    foreach e $entries {
      set n [dict get $e name]
      append md "$sep\[`$n`\](#[anchor $e])"
      set sep ", "
    }
    append md \n
  }
  dict for {w entries} $words {
    append md "\n## $w\n"
    foreach e $entries {
      dict with e {}
      append md "\n<a id=\"[anchor $e]\"></a>\n### $name\n\n"
      append md "```\n$signature\n```\n\n"
      append md [string map {\n \n\n} $summary] \n\n
      if {$columns ne ""} { append md "Columns: $columns\n\n" }
      append md "[string totitle $kind]"
      if {$risk ne ""} { append md ", $risk" }
      append md "; set: $set; defined in `$where`.\n"
      if {$errors ne ""} { append md "\nErrors: $errors\n" }
      if {$source ne ""} { append md "\nSource: $source\n" }
      if {$example ne ""} { append md "\n```sql\n$example\n```\n" }
    }
  }
  return $md
}

proc anchor {e} {
  return [dict get $e kind]-[dict get $e name]
}

# Files of one capability stand together: ext/ttl.c, vtab/ttl.c.
proc by_word {a b} {
  set c [string compare [file tail $a] [file tail $b]]
  return [expr {$c ? $c : [string compare $a $b]}]
}

set Entry {}
set output [lindex $argv 0]
if {$output eq ""} {
  puts stderr "usage: tclsh docs.tcl build/steward_help.c|build/reference.md\
    FILE.c ..."
  exit 2
}
foreach file [lsort -command by_word [lrange $argv 1 end]] {
  foreach c [comments $file] { read_doc $file {*}$c }
}
csource::stop_on_errors
csource::write $output \
    [expr {[string match *.md $output] ? [reference_md] : [help_c]}]
