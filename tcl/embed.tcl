# embed.tcl: the SQL under sql/ becomes C.
#
#   tclsh tcl/embed.tcl OUTDIR sql/log.sql ... sql/migrations/core/001_x.up.sql
#
# Writes OUTDIR/steward_sql.h and steward_sql.c (the named statements) and
# OUTDIR/steward_migrations.c (the steps). Named statements:
#
#   -- set: core                 whose tables the statements need, or "none"
#   -- name: log_append hot      "hot": tests pin its plan
#   -- name: verify_core script  "script": several statements
#   -- What it is for.
#   INSERT INTO ... ;
#
# A migration step is a pair NNN_name.up.sql and NNN_name.down.sql in
# sql/migrations/<set>/, with a header of "-- key: value" lines. Whatever is
# wrong is reported as file:line and stops the build.

source [file join [file dirname [info script]] csource.tcl]

# ---------------------------------------------------------------- SQL text

# Cut SQL into statements: a list of {line text}. Comments are left out of
# the texts, strings and trigger bodies are kept whole. For checks only.
proc statements {file sql} {
  set out {}
  set text ""
  set start 0
  set line 1
  set blank 1
  while {$sql ne ""} {
    # One piece: a comment, a quoted thing, a semicolon, other text.
    if {[regexp {^--[^\n]*} $sql piece]} {
      set kind comment
    } elseif {[string match /\\** $sql]} {
      set end [string first */ $sql 2]
      set piece [expr {$end < 0 ? $sql : [string range $sql 0 $end+1]}]
      set kind comment
    } elseif {[regexp {^['"`]} $sql quote]} {
      set kind quoted
      if {![regexp "^${quote}\[^$quote\]*${quote}" $sql piece]} {
        csource::error $file $line "a $quote that is never closed"
        set piece $sql
      }
    } elseif {[string index $sql 0] eq "\["} {
      set kind quoted
      set end [string first \] $sql]
      set piece [expr {$end < 0 ? $sql : [string range $sql 0 $end]}]
    } elseif {[string index $sql 0] eq ";"} {
      set kind semicolon
      set piece ";"
    } else {
      set kind text
      if {![regexp {^([^-/'"`\[;]+|.)} $sql piece]} { set piece $sql }
    }
    set sql [string range $sql [string length $piece] end]
    if {$kind ne "comment"} {
      if {$text eq "" && [string trim $piece] ne ""} {
        regexp {^\s*} $piece lead
        set start [expr {$line + [llength [split $lead \n]] - 1}]
        set piece2 [string range $piece [string length $lead] end]
      } elseif {$text eq ""} {
        set piece2 ""
      } else {
        set piece2 $piece
      }
      append text $piece2
    } else {
      append text [expr {$text eq "" ? "" : " "}]
    }
    incr line [expr {[llength [split $piece \n]] - 1}]
    if {$kind eq "semicolon"} {
      # Inside CREATE TRIGGER only "; END ;" ends the statement.
      if {[regexp -nocase {^CREATE\s+(TEMP\s+|TEMPORARY\s+)?TRIGGER\M} $text]
          && ![regexp -nocase {;\s*END\s*;$} $text]} continue
      if {[string trim $text "; \t\r\n"] ne ""} {
        lappend out [list $start [string trim $text]]
      }
      set text ""
    }
  }
  if {[string trim $text] ne ""} {
    lappend out [list $start [string trim $text]]
  }
  return $out
}

# A statement's text as it is embedded: comments and empty lines gone, line
# ends kept, the last semicolon removed.
proc strip {sql} {
  set out ""
  while {$sql ne ""} {
    if {[regexp {^--[^\n]*} $sql piece]} {
      set sql [string range $sql [string length $piece] end]
      continue
    }
    if {[regexp {^('[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\])} $sql piece]
        || [regexp {^[^-'"`\[]+} $sql piece]} {
      append out $piece
      set sql [string range $sql [string length $piece] end]
    } else {
      append out [string index $sql 0]
      set sql [string range $sql 1 end]
    }
  }
  set lines {}
  foreach line [split $out \n] {
    set line [string trimright $line]
    if {$line ne ""} { lappend lines $line }
  }
  return [string trimright [join $lines \n] "; \t\r\n"]
}

# -------------------------------------------------------- named statements

# Parse one file of named statements; appends {name set hot file line sql}
# to the global list.
proc read_statements {file} {
  global Statement Seen
  set set ""
  set cur {}
  set n 0
  foreach line [split [csource::read $file] \n] {
    incr n
    set line [string trimright $line \r]
    if {[regexp {^--\s*name\s*:\s*(.*)$} $line -> words]} {
      end_statement $file $cur
      set name [lindex [split [string trim $words]] 0]
      set flags [lrange [regexp -all -inline {\S+} $words] 1 end]
      if {![regexp {^[a-z][a-z0-9_]*$} $name]} {
        csource::error $file $n "'$name' is no name for a statement: use\
          lower case letters, digits and _"
      }
      if {$name eq "count"} {
        csource::error $file $n "'count' would clash with SQL_COUNT"
      }
      foreach flag $flags {
        if {$flag ni {hot script}} {
          csource::error $file $n "unknown flag '$flag' (known: hot, script)"
        }
      }
      if {[info exists Seen($name)]} {
        csource::error $file $n "duplicate name '$name', first at\
          $Seen($name)"
      } else {
        set Seen($name) $file:$n
      }
      set cur [dict create name $name set $set line $n purpose 0 body "" \
                   bodyline 0 hot [expr {"hot" in $flags}] \
                   script [expr {"script" in $flags}]]
    } elseif {[regexp {^--\s*set\s*:\s*(\S*)\s*$} $line -> word]} {
      if {![regexp {^[a-z][a-z0-9_]*$} $word]} {
        csource::error $file $n "'$word' is no name of a set"
      }
      if {$cur eq ""} {
        set set $word
      } else {
        dict set cur set $word
      }
    } elseif {$cur ne ""} {
      if {[regexp {^\s*--} $line] && [dict get $cur bodyline] == 0} {
        if {[regexp {^\s*--\s*\S} $line]} { dict set cur purpose 1 }
      } else {
        if {[dict get $cur bodyline] == 0} {
          if {[string trim $line] eq ""} continue
          dict set cur bodyline $n
        }
        dict append cur body $line\n
      }
    } elseif {[string trim $line] ne "" && ![regexp {^\s*--} $line]} {
      csource::error $file $n "SQL before the first '-- name: ...'"
    }
  }
  end_statement $file $cur
}

# Check one collected statement and add it to the list.
proc end_statement {file cur} {
  global Statement
  if {$cur eq ""} return
  dict with cur {}
  if {$set eq ""} {
    csource::error $file $line "statement '$name' has no set: write\
      '-- set: core' (or none) above the first name"
  }
  if {!$purpose} {
    csource::error $file $line "statement '$name' needs a comment that says\
      what it is for"
  }
  set parts [statements $file $body]
  if {[llength $parts] == 0} {
    csource::error $file $line "statement '$name' has no SQL"
    return
  }
  if {[llength $parts] > 1 && !$script} {
    set at [expr {$bodyline + [lindex $parts 1 0] - 1}]
    csource::error $file $at "a second statement under the name '$name':\
      give it a name of its own"
  }
  lappend Statement [list $name $set $hot $file:$line [strip $body]]
}

proc statements_h {} {
  global Statement
  set h "/* Generated by tcl/embed.tcl from sql/: do not edit. */\n"
  append h "#ifndef STEWARD_SQL_H\n#define STEWARD_SQL_H\n\n"
  append h "enum StewardSqlId \{\n"
  foreach s $Statement {
    lassign $s name set hot where
    append h "  SQL_$name, /* $where */\n"
  }
  append h "  SQL_COUNT\n\};\n\n#endif\n"
  return $h
}

proc statements_c {} {
  global Statement
  set rows ""
  foreach s $Statement {
    lassign $s name set hot where sql
    append rows "  \{\"$name\", \"$set\", $hot, \"$where\",\n"
    append rows "    [csource::text $sql]\},\n"
  }
  set n SQL_COUNT
  if {$rows eq ""} {
    set rows "  \{0\}\n"
    set n 1
  }
  set c "/* Generated by tcl/embed.tcl from sql/: do not edit. */\n"
  append c "#include \"steward_int.h\"\n#include \"steward_sql.h\"\n\n"
  append c [csource::arrays_c]
  append c "const StewardSql steward_sql\[$n\] = \{\n$rows\};\n"
  return $c
}

# -------------------------------------------------------------- migrations

# The "-- key: value" lines at the very top of a file, as a dict of
# key -> {line value}.
proc header {text} {
  set head {}
  set n 0
  foreach line [split $text \n] {
    incr n
    if {![regexp {^--\s*(\w+)\s*:\s*(.*?)\s*$} $line -> key value]} break
    dict set head $key [list $n $value]
  }
  return $head
}

proc head_value {head key} {
  return [expr {[dict exists $head $key] ? [lindex [dict get $head $key] 1]
                                         : ""}]
}

# Complain about header fields that are absent, unknown or malformed.
proc check_header {file head need} {
  foreach key $need {
    if {[head_value $head $key] eq ""} {
      csource::error $file 1 "the header lacks '-- $key: ...' (the file\
        must begin with: [join $need {, }])"
    }
  }
  set known {id version description author created library}
  dict for {key at} $head {
    if {$key ni $known} {
      csource::error $file [lindex $at 0] "unknown header field '$key'\
        (known: [join $known {, }])"
    }
  }
  foreach {key form example} {
    id      {^[a-z0-9][a-z0-9-]*$}      changes-001-change-index
    version {^[1-9][0-9]*$}             1
    created {^\d{4}-\d\d-\d\d$}         2026-11-21
    library {^\d+\.\d+\.\d+$}           0.1.0
  } {
    if {[dict exists $head $key] && ![regexp $form [head_value $head $key]]} {
      csource::error $file [lindex [dict get $head $key] 0] "bad $key\
        '[head_value $head $key]', expected the form $example"
    }
  }
}

# Rules for the statements of a step.
proc check_step {file text} {
  foreach s [statements $file $text] {
    lassign $s line sql
    set word [string toupper [lindex [regexp -inline {^\w+} $sql] 0]]
    switch -- $word {
      PRAGMA - BEGIN - COMMIT - END - ROLLBACK - SAVEPOINT - RELEASE -
      ATTACH - DETACH - VACUUM {
        csource::error $file $line "$word has no place in a step: the engine\
          runs it in its own transaction, pragmas belong to tune_apply"
      }
      CREATE {
        if {![regexp -nocase {^CREATE\s[\w\s]*\sIF\s+NOT\s+EXISTS\s} $sql]} {
          csource::error $file $line "CREATE without IF NOT EXISTS: steps\
            are idempotent"
        }
      }
      DROP {
        if {![regexp -nocase {^DROP\s+\w+\s+IF\s+EXISTS\s} $sql]} {
          csource::error $file $line "DROP without IF EXISTS: steps are\
            idempotent"
        }
      }
    }
  }
}

# One step from its two files; appends to the global list.
proc read_step {set base number name} {
  global Step Id
  set up $base.up.sql
  set down $base.down.sql
  foreach {file other} [list $up $down $down $up] {
    if {![file exists $file]} {
      csource::error $other 1 "[file tail $file] is missing: a step is a\
        pair of up and down"
      return
    }
  }
  set uptext [csource::read $up]
  set downtext [csource::read $down]
  set head [header $uptext]
  set dhead [header $downtext]
  check_header $up $head {id version description author created library}
  check_header $down $dhead {id version}
  foreach {file h} [list $up $head $down $dhead] {
    set v [head_value $h version]
    if {[string is digit -strict $v] && $v != $number} {
      csource::error $file [lindex [dict get $h version] 0] "version $v, but\
        the file's name says $number"
    }
  }
  set id [head_value $head id]
  if {$id ne [head_value $dhead id]} {
    csource::error $down 1 "id '[head_value $dhead id]' is not the '$id' of\
      [file tail $up]"
  }
  if {[info exists Id($id)]} {
    csource::error $up 1 "duplicate id '$id', first in $Id($id)"
  }
  set Id($id) $up
  check_step $up $uptext
  check_step $down $downtext
  lappend Step [list $set $number $name $id [head_value $head description] \
      [head_value $head author] [head_value $head created] \
      [head_value $head library] $uptext $downtext $base]
}

# All steps: the files' names, the order of the sets, no holes.
proc read_migrations {files} {
  array set bases {}
  foreach file $files {
    set set [file tail [file dirname $file]]
    set form {^(\d\d\d)_([a-z0-9_]+)\.(up|down)\.sql$}
    if {![regexp $form [file tail $file] -> number name]} {
      csource::error $file 1 "a step is named NNN_name.up.sql or\
        NNN_name.down.sql"
      continue
    }
    if {![regexp {^[a-z][a-z0-9_]*$} $set]} {
      csource::error $file 1 "'$set' is no name of a set"
    }
    set base [file join [file dirname $file] ${number}_$name]
    scan $number %d n
    set bases($set,$n,$name) [list $set $base $n $name]
    lappend sets($set) $n
  }
  set order {}
  if {[info exists sets(core)]} { lappend order core }
  foreach set [lsort [array names sets]] {
    if {$set ne "core"} { lappend order $set }
  }
  foreach set $order {
    set expect 1
    foreach n [lsort -integer -unique $sets($set)] {
      set keys [array names bases $set,$n,*]
      set file [lindex $bases([lindex $keys 0]) 1].up.sql
      if {[llength $keys] > 1} {
        set names [lmap k [lsort $keys] { file tail [lindex $bases($k) 1] }]
        csource::error $file 1 "two steps with one number:\
          [join $names { and }]"
      }
      if {$n != $expect} {
        csource::error $file 1 "step $n of set '$set', but\
          [format %03d $expect] is missing: numbers have no holes"
      }
      foreach key [lsort $keys] { read_step {*}$bases($key) }
      set expect [expr {$n + 1}]
    }
  }
}

proc migrations_c {} {
  global Step
  set rows ""
  foreach s $Step {
    lassign $s set version name
    append rows "  \{\"$set\", $version, \"$name\",\n"
    foreach text [lrange $s 3 7] { append rows "    [csource::text $text],\n" }
    append rows "    [csource::text [lindex $s 8]],\n"
    append rows "    [csource::text [lindex $s 9]],\n"
    append rows "    \"[lindex $s 10]\"\},\n"
  }
  set c "/* Generated by tcl/embed.tcl from sql/migrations/: do not edit. */\n"
  append c "#include \"steward_int.h\"\n\n"
  append c [csource::arrays_c]
  append c "const StewardStep steward_steps\[\] = \{\n"
  append c [expr {$rows eq "" ? "  {0}\n" : $rows}]
  append c "\};\nconst int steward_step_count = [llength $Step];\n"
  return $c
}

# -------------------------------------------------------------------- main

set Statement {}
set Step {}

# Read all files into Statement and Step; paths decide which is which.
proc read_all {files} {
  set steps {}
  foreach file [lsort $files] {
    if {[string match */migrations/* $file]} {
      lappend steps $file
    } else {
      read_statements $file
    }
  }
  read_migrations $steps
  csource::stop_on_errors
}

# Other scripts source this file for its parser; run by itself it embeds.
if {[info exists argv0] && [file tail $argv0] eq "embed.tcl"} {
  set outdir [lindex $argv 0]
  if {$outdir eq ""} {
    puts stderr "usage: tclsh embed.tcl OUTDIR FILE.sql ..."
    exit 2
  }
  read_all [lrange $argv 1 end]
  csource::write [file join $outdir steward_sql.h] [statements_h]
  csource::write [file join $outdir steward_sql.c] [statements_c]
  csource::write [file join $outdir steward_migrations.c] [migrations_c]
}
