# demo_data.tcl: the database of the demo's walk.
#
# A copy of DB=, made by SQLite's backup; or a database made from what this
# machine knows of itself: the records of its packages (DPKG_STATUS names
# another file than /var/lib/dpkg/status), else the files below /usr.

proc demo::make_database {} {
  variable file
  variable dir
  variable source
  set file [file join $dir demo.db]
  if {$source ne ""} {
    copy_source
  } elseif {![make_packages]} {
    make_files
  }
  choose_names
}

# ------------------------------------------------------------- a copy of DB=

# What of the source must stay as it is: a checksum of the file and its WAL.
proc demo::checksum {path} {
  set files [list $path]
  if {[file exists $path-wal] && [file size $path-wal] > 0} {
    lappend files $path-wal
  }
  foreach program {sha256sum {shasum -a 256} cksum} {
    if {![catch {exec {*}$program {*}$files} text]} {
      return [lmap line [split $text \n] { lindex [split $line] 0 }]
    }
  }
  error "no program for checksums: sha256sum, shasum or cksum"
}

proc demo::copy_source {} {
  variable source
  variable file
  variable strict 0
  variable sum
  set source [file normalize $source]
  if {![file isfile $source]} { error "no file $source: DB= names a database" }
  if {![file readable $source]} { error "$source cannot be read" }
  set sum [checksum $source]
  if {[file size $source] == 0} { error "$source is empty, no database" }
  set backup ".backup [dot_quote $file]"
  # Without a log beside it nobody writes: then SQLite need not even make its
  # lock files there. Should somebody begin to, the second way is taken.
  set calm [expr {![file exists $source-wal] && ![file exists $source-journal]}]
  if {$calm} {
    set uri "file:[string map {% %25 ? %3f # %23} $source]?immutable=1"
    lassign [shell $backup -file $uri -library 0] code text
    set calm [expr {$code == 0 && ![file exists $source-wal]
                    && [checksum $source] eq $sum}]
  }
  if {!$calm} {
    file delete $file
    lassign [shell $backup -file $source -library 0 -readonly 1] code text
    if {$code} { error "cannot copy $source: $text" }
  }
  lassign [shell {SELECT count(*) FROM sqlite_schema} -library 0] code text
  if {$code} { error "$source is no SQLite database: $text" }
}

# ----------------------------------------------------- this machine's packages

proc demo::sql_text {text} {
  return '[string map {' '' \0 {}} $text]'
}

# The records of a dpkg status file, one dict each, of installed packages.
proc demo::read_packages {path} {
  set f [open $path]
  fconfigure $f -encoding utf-8
  set text [read $f]
  close $f
  set packages {}
  foreach record [split [string map {\n\n \0} $text] \0] {
    set package {}
    foreach line [split $record \n] {
      # a line that begins with a blank continues the one above
      if {[regexp {^([A-Za-z-]+):\s*(.*)$} $line -> key value]} {
        dict set package $key $value
      }
    }
    if {[dict exists $package Package] && [dict exists $package Status]
        && [string match "* installed" [dict get $package Status]]} {
      lappend packages $package
    }
  }
  return $packages
}

proc demo::field {package key {default ""}} {
  return [expr {[dict exists $package $key] ? [dict get $package $key]
                : $default}]
}

# "a (>= 1) | b, c" -> rows of dependencies, as SQL values.
proc demo::dependency_rows {package} {
  set rows {}
  set name [dict get $package Package]
  foreach kind {Pre-Depends Depends Recommends} {
    set number 0
    foreach group [split [field $package $kind] ,] {
      incr number
      foreach choice [split $group |] {
        set form {^\s*([^\s:(]+)[^(]*(?:\(([^)]*)\))?}
        if {![regexp $form $choice -> on what]} continue
        lappend rows "([sql_text $name],[sql_text $kind],$number,[sql_text \
            $on],[expr {$what eq "" ? "NULL" : [sql_text $what]}])"
      }
    }
  }
  return $rows
}

# INSERT statements of at most 200 rows each.
proc demo::inserts {into rows} {
  set sql ""
  for {set i 0} {$i < [llength $rows]} {incr i 200} {
    append sql "INSERT OR IGNORE INTO $into VALUES\n" \
        [join [lrange $rows $i $i+199] ,\n] ";\n"
  }
  return $sql
}

proc demo::make_packages {} {
  variable names
  variable origin
  set path /var/lib/dpkg/status
  if {[info exists ::env(DPKG_STATUS)]} { set path $::env(DPKG_STATUS) }
  if {![file readable $path]} { return 0 }
  set packages [read_packages $path]
  if {[llength $packages] < 20} { return 0 }
  set rows {}
  set depends {}
  foreach p $packages {
    set kb [field $p Installed-Size 0]
    if {![string is wideinteger -strict $kb]} { set kb 0 }
    lappend rows "([sql_text [dict get $p Package]],[sql_text \
        [field $p Version]],[sql_text [field $p Section none]],[sql_text \
        [field $p Priority optional]],$kb,[sql_text [field $p Description]])"
    lappend depends {*}[dependency_rows $p]
  }
  ask "BEGIN;
    CREATE TABLE packages(name TEXT PRIMARY KEY, version TEXT NOT NULL,
      section TEXT NOT NULL, priority TEXT NOT NULL, kb INTEGER NOT NULL,
      summary TEXT NOT NULL);
    CREATE TABLE dependencies(package TEXT NOT NULL, kind TEXT NOT NULL,
      number INTEGER NOT NULL, depends_on TEXT NOT NULL, version TEXT,
      PRIMARY KEY (package, kind, number, depends_on)) WITHOUT ROWID;
    [inserts packages $rows] [inserts dependencies $depends]
    CREATE INDEX packages_section ON packages(section, kb);
    CREATE INDEX dependencies_on ON dependencies(depends_on); COMMIT;" \
      -library 0
  set origin "the package records of this machine, $path"
  set names [list @items packages @content "SELECT section, count(*) AS\
      packages, sum(kb) AS kb\n  FROM packages GROUP BY section ORDER BY kb\
      DESC LIMIT 5;"]
  return 1
}

# ----------------------------------------------------------- or its files

# Up to 3000 files below a directory: {path kb directory} each.
proc demo::list_files {top} {
  set found {}
  set queue [list $top]
  while {[llength $queue] && [llength $found] < 3000} {
    set queue [lassign $queue at]
    if {[catch {glob -nocomplain -directory $at *} inside]} continue
    foreach path [lsort $inside] {
      if {[file type $path] eq "directory"} {
        lappend queue $path
      } elseif {[file isfile $path]} {
        lappend found [list $path [expr {[file size $path] / 1024}] $at]
      }
    }
  }
  return [lrange $found 0 2999]
}

proc demo::make_files {} {
  variable names
  variable origin
  set rows [lmap found [list_files /usr] {
    lassign $found path kb at
    set _ "([sql_text $path],$kb,[sql_text $at])"
  }]
  if {[llength $rows] < 20} { error "nothing to see in /usr: give DB=path" }
  ask "BEGIN; CREATE TABLE files_of_usr(name TEXT PRIMARY KEY,
      kb INTEGER NOT NULL, directory TEXT NOT NULL);
    [inserts files_of_usr $rows] COMMIT;" -library 0
  set origin "the files below /usr, as there are no package records"
  set names [list @items files_of_usr @content "SELECT directory, count(*)\
      AS files, sum(kb) AS kb\n  FROM files_of_usr GROUP BY directory ORDER\
      BY kb DESC LIMIT 5;"]
}

# ------------------------------------------------------------------- names

# The names that the walk uses, none of which the database has already.
proc demo::choose_names {} {
  variable names
  variable strict
  variable origin
  variable source
  variable before
  variable had
  set before [schema]
  set had [ask {SELECT count(*) FROM sqlite_schema
                 WHERE name = 'steward_sets'} -library 0]
  set n ""
  while {[taken $n]} { set n [expr {$n eq "" ? 2 : $n + 1}] }
  lappend names @cache demo_cache$n @request demo_request$n @tag demo$n
  # reading all of a large file is not what the walk is about
  set size [expr {[file size $::demo::file] >> 20}]
  lappend names @verify \
      [expr {$size < 200 ? "PRAGMA integrity_check;" : "PRAGMA page_count;"}]
  if {!$strict} {
    lappend names @items demo_items$n \
        @content {SELECT type, count(*) AS n FROM sqlite_schema GROUP BY 1;}
    set origin "a copy of $source"
  }
}

# Every object of the database, to be compared later.
proc demo::schema {} {
  return [ask {SELECT type, name, tbl_name, sql FROM sqlite_schema
               ORDER BY type, name} -library 0]
}

# Is anything called demo<n>, demo_cache<n> ... here already?
proc demo::taken {n} {
  set count [ask "SELECT count(*) FROM sqlite_schema
    WHERE name IN ('demo_cache$n', 'demo_items$n', 'demo_request$n')" \
                 -library 0]
  foreach {table column} {workspaces id steward_cursors consumer
                          steward_messages topic} {
    lassign [shell "SELECT count(*) FROM main.$table
                     WHERE $column = 'demo$n'" -library 0] code text
    if {$code == 0} { incr count $text }
  }
  return $count
}
