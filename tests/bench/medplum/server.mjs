// @medplum/hl7's server that stores a patient and an order of each message in SQLite at full durability, then answers.
import { once } from 'node:events';
import net from 'node:net';
import { Hl7Server } from '@medplum/hl7';
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec('CREATE TABLE patient (id INTEGER PRIMARY KEY, mrn TEXT UNIQUE, family TEXT, given TEXT, birth_date TEXT)');
database.exec('CREATE TABLE bare_order (id INTEGER PRIMARY KEY, patient_id INTEGER REFERENCES patient, placer_number TEXT UNIQUE, code TEXT, raw TEXT)');
const addPatient = database.prepare('INSERT INTO patient (mrn, family, given, birth_date) VALUES (?, ?, ?, ?)');
const addOrder = database.prepare('INSERT INTO bare_order (patient_id, placer_number, code, raw) VALUES (?, ?, ?, ?)');
const apply = database.transaction((message) => {
  const pid = message.getSegment('PID');
  const { lastInsertRowid } = addPatient.run(
    pid.getComponent(3, 1), pid.getComponent(5, 1), pid.getComponent(5, 2), pid.getComponent(7, 1),
  );
  addOrder.run(
    lastInsertRowid, message.getSegment('ORC').getComponent(2, 1), message.getSegment('OBR').getComponent(4, 1), message.toString(),
  );
});

const server = new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => {
    apply(message);
    connection.send(message.buildAck());
  });
});
// start() takes no port of the system's choice, since it does not tell which one it was.
const free = net.createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address();
free.close();
await once(free, 'close');
await server.start(port);
console.log(port);
