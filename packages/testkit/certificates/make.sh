#!/bin/sh
# Makes the certificates of this folder anew, for a hundred years. The keys are public: they protect nothing.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index.txt"
cat >"$work/ca.cnf" <<CONFIG
[ca]
default_ca = own
[own]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
default_days = 36500
default_crl_days = 36500
policy = any
unique_subject = no
[any]
commonName = supplied
[server]
subjectAltName = DNS:localhost, IP:127.0.0.1
[elsewhere]
subjectAltName = DNS:elsewhere.invalid
[client]
keyUsage = digitalSignature
CONFIG

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
authority() { # name
  key "$work/$1.key"
  openssl req -x509 -key "$work/$1.key" -subj "/CN=$1" -days 36500 -out "$1.crt"
}
sign() { # authority, certificate, key, common name, extensions, options
  by=$1 certificate=$2 key=$3 name=$4 extensions=$5
  shift 5
  openssl req -new -key "$key" -subj "/CN=$name" -out "$work/request"
  openssl ca -batch -notext -config "$work/ca.cnf" -cert "$by.crt" -keyfile "$work/$by.key" \
    -extensions "$extensions" -in "$work/request" -out "$certificate" "$@" 2>/dev/null
}

authority ca
authority other-ca
key server.key
key client.key
openssl pkcs8 -topk8 -in client.key -v2 aes-256-cbc -passout pass:passphrase-of-the-key -out client-encrypted.key
sign ca server.crt server.key localhost server
sign ca elsewhere.crt server.key elsewhere.invalid elsewhere
sign ca expired.crt server.key localhost server -startdate 20200101000000Z -enddate 20210101000000Z
sign ca revoked.crt server.key localhost server
sign ca client.crt client.key lockstep client
sign other-ca stranger.crt client.key lockstep client
openssl ca -config "$work/ca.cnf" -cert ca.crt -keyfile "$work/ca.key" -revoke revoked.crt 2>/dev/null
openssl ca -config "$work/ca.cnf" -cert ca.crt -keyfile "$work/ca.key" -gencrl -out ca.crl 2>/dev/null
