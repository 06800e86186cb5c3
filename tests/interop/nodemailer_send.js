// nodemailer_send.js '{"transport":{...},"mail":{...}}': sends the message on standard input.
'use strict'

const fs = require('node:fs')
const nodemailer = require('nodemailer')

const { transport, mail } = JSON.parse(process.argv[2])
nodemailer.createTransport(transport).sendMail({ ...mail, raw: fs.readFileSync(0) })
  .catch((error) => {
    console.error(error.message)
    process.exit(1)
  })
