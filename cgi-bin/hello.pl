#!/bin/sh
: # The shell runs these lines to look for Perl. `perl -x` skips them, down to the line #!perl.
command -v perl >/dev/null && exec perl -x "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Perl, and perl is not installed here. On Debian: apt install perl'
exit
#!perl
# hello.pl: the same page in Perl, the language that CGI grew up with.
#
# `print` writes to standard output; the server reads it there and passes it on.

use strict;
use warnings;

my $time = sprintf '%02d:%02d:%02d', (gmtime)[2, 1, 0];

print <<"END";
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Perl</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>Hello from Perl</h1>
<p>It is $time UTC, and process number <strong>$$</strong> wrote this page for you.</p>
<p><a href="hello.pl">Ask again</a>, and watch the number: one request, one process.</p>
</main>
</html>
END
