#!/usr/bin/perl
# submit.pl - one message through Perl's Net::SMTP.
# usage: submit.pl tls|starttls|none HOST PORT CA NAME MECHANISM LOGIN FROM RCPT... < content; the password is in $PASSWORD
use strict;
use warnings;
use Authen::SASL;
use IO::Socket::SSL;
use Net::SMTP 3;

my ($tls, $host, $port, $ca, $name, $mechanism, $login, $from, @rcpts) = @ARGV;
binmode STDIN;
my $content = do { local $/; <STDIN> };
my @verify = (SSL_ca_file => $ca, SSL_verify_mode => SSL_VERIFY_PEER, SSL_verifycn_name => $name,
	SSL_verifycn_scheme => 'smtp', SSL_hostname => $name);

sub give_up {
	my ($what, $smtp) = @_;
	my $why = $smtp && $smtp->code . ' ' . $smtp->message || $@ || $IO::Socket::SSL::SSL_ERROR || $!;
	die "submit.pl: $what: $why\n";
}

my $smtp = Net::SMTP->new(Host => $host, Port => $port, Hello => 'laptop.example.org', Timeout => 20,
	$tls eq 'tls' ? (SSL => 1, @verify) : ()) or give_up('connect');
$tls ne 'starttls' or $smtp->starttls(@verify) or give_up('starttls', $smtp);
my $sasl = Authen::SASL->new(mechanism => $mechanism,
	callback => { user => $login, authname => '', pass => $ENV{PASSWORD} });
$smtp->auth($sasl) or give_up('auth', $smtp);
$smtp->mail($from, Bits => $content =~ /[\x80-\xff]/ ? 8 : 7) or give_up('mail', $smtp);
$smtp->to(@rcpts) or give_up('rcpt', $smtp);
$smtp->data or give_up('data', $smtp);
$smtp->datasend($content) or give_up('content', $smtp);
$smtp->dataend or give_up('content', $smtp);
print $smtp->message;
$smtp->quit;
