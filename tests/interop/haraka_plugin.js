// Makes Haraka a host for haraka.test, whose mail it writes into files, and a relay for the domains in
// interop.json, each with the next host that stands there.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

exports.register = function () {
  this.hosts = this.config.get('interop.json')
}

exports.hook_rcpt = function (next, connection, params) {
  if (this.hosts[params[0].host]) connection.relaying = true
  next(connection.relaying || params[0].host === 'haraka.test' ? OK : DENY)
}

exports.hook_queue = function (next, connection) {
  const name = path.join(this.hosts.directory, connection.transaction.uuid)
  connection.transaction.message_stream.get_data((content) => {
    fs.writeFileSync(`${name}.new`, content)
    fs.renameSync(`${name}.new`, `${name}.eml`)
    next(OK)
  })
}

// Mail of those who have authenticated themselves goes out, wherever it is for.
exports.hook_queue_outbound = function (next, connection) {
  if (connection.transaction.rcpt_to[0].host !== 'haraka.test') return next()
  this.hook_queue(next, connection)
}

exports.hook_get_mx = function (next, hmail, domain) {
  next(OK, this.hosts[domain])
}
