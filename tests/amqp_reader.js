// Reads messages from an address of an AMQP 1.0 broker with rhea, a client that shares no code with Persistor's, and prints a line of JSON for each: payload in hex, what the broker says of it,
// and the application properties with the names of their types on the wire, which rhea itself leaves out.
//
//   node amqp_reader.js PATH_OF_RHEA PORT ADDRESS COUNT
'use strict';

const path = require('path');
const [rheaPath, port, address, count] = process.argv.slice(2);
const rhea = require(rheaPath);
const message = require(path.join(path.dirname(rheaPath), 'message.js'));
const types = require(path.join(path.dirname(rheaPath), 'types.js'));

const APPLICATION_PROPERTIES = 0x74;

// The names that rhea gives to the shorter encodings of a type.
const SHORT = { Str8: 'String', Str32: 'String', Vbin8: 'Binary', Vbin32: 'Binary', Sym8: 'Symbol', Sym32: 'Symbol', CharUTF32: 'Char' };

function shown(typed) {
  const name = typed.type.name;
  if (name === 'Null') return [name, ''];
  if (name === 'True' || name === 'False') return ['Boolean', name.toLowerCase()];
  const type = SHORT[name] || name.replace(/^Small/, '').replace(/^(Uint|Ulong)0$/, '$1');
  if (Buffer.isBuffer(typed.value)) return [type, typed.value.toString('hex')];
  return [type, Object.is(typed.value, -0) ? '-0' : String(typed.value instanceof Date ? typed.value.getTime() : typed.value)];
}

function typedProperties(buffer) {
  const reader = new types.Reader(buffer);
  while (reader.remaining()) {
    const section = reader.read();
    if (Number(section.descriptor.value) === APPLICATION_PROPERTIES) {
      const properties = {};
      for (let at = 0; at < section.value.length; at += 2) {
        properties[section.value[at].value] = shown(section.value[at + 1]);
      }
      return properties;
    }
  }
  return {};
}

const decode = message.decode;
message.decode = function (buffer) {
  const decoded = decode(buffer);
  decoded.typed = typedProperties(buffer);
  return decoded;
};

let left = Number(count);
const container = rhea.create_container ? rhea.create_container() : rhea;
container.on('message', (context) => {
  const got = context.message;
  const body = got.body.content === undefined ? got.body : got.body.content;
  console.log(JSON.stringify({
    payload: Buffer.from(body).toString('hex'),
    typecode: got.body.typecode,
    durable: got.durable === true,
    ttl: got.ttl === undefined ? null : got.ttl,
    message_id: got.message_id,
    correlation_id: got.correlation_id,
    subject: got.subject,
    to: got.to,
    reply_to: got.reply_to,
    content_type: got.content_type,
    group_id: got.group_id,
    reply_to_group_id: got.reply_to_group_id,
    annotations: got.message_annotations,
    application: got.typed,
  }));
  left -= 1;
  if (left === 0) context.connection.close();
});
const connection = container.connect({ host: '127.0.0.1', port: Number(port), username: 'u', password: 'p', reconnect: false });
connection.open_receiver({ source: address, credit_window: 100 });
container.on('disconnected', () => process.exit(left === 0 ? 0 : 1));
