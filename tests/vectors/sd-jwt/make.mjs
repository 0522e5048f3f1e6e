// Writes index.json: tokens that @sd-jwt/core has issued and shown to a verifier, and the keys that they present to the reader in
// `tests/api/tokens.rs`. The keys to sign with are thrown away.
//
//     npm install @sd-jwt/core@0.19.0 @sd-jwt/crypto-nodejs@0.19.0 && node make.mjs
import { writeFileSync } from 'node:fs';
import { SDJwtInstance } from '@sd-jwt/core';
import { ES256, digest, generateSalt } from '@sd-jwt/crypto-nodejs';

const issuer = await ES256.generateKeyPair();
const holder = await ES256.generateKeyPair();
const sdjwt = new SDJwtInstance({
    signer: await ES256.getSigner(issuer.privateKey),
    verifier: await ES256.getVerifier(issuer.publicKey),
    signAlg: 'ES256',
    hasher: digest,
    hashAlg: 'sha-256',
    saltGenerator: generateSalt,
    kbSigner: await ES256.getSigner(holder.privateKey),
    kbVerifier: await ES256.getVerifier(holder.publicKey),
    kbSignAlg: 'ES256',
});
const proof = { kb: { payload: { aud: 'a', iat: 1795000000, nonce: 'n', sd_hash: '' } } };

const bound = ['bound-key', 'K'];
const cnf = { sub: 'u', cnf: { jkt: 'K', other: 'o' } };
const ext = { ext: { deep: { sid: 'S' }, groups: ['g', 'h'] } };
const devices = { devices: [{ id: 'D', os: 'x' }, { id: 'E' }] };
const subject = ['subject', 'u'];
const session = ['session', 'S'];
const groups = ['g', 'h'].map((id) => ['tenant', id]);
const device = (id) => ['device', id];

// What is issued, what of it may be withheld, what is shown, and the keys of that.
const cases = [
    ['nothing to disclose', cnf, undefined, undefined, [subject, bound]],
    ['an object', cnf, { _sd: ['cnf'] }, { cnf: true }, [subject, bound]],
    ['an object that is withheld', cnf, { _sd: ['cnf'] }, {}, [subject]],
    ['a member', cnf, { cnf: { _sd: ['jkt'] } }, { cnf: { jkt: true } }, [subject, bound]],
    ['a member that is withheld', cnf, { cnf: { _sd: ['jkt', 'other'] } }, { cnf: { other: true } }, [subject]],
    ['an object and its member', cnf, { _sd: ['cnf', 'sub'], cnf: { _sd: ['jkt'] } }, { cnf: { jkt: true } }, [bound]],
    ['a member among decoys', cnf, { cnf: { _sd: ['jkt'], _sd_decoy: 3 }, _sd_decoy: 2 }, { cnf: { jkt: true } }, [subject, bound]],
    ['a member, with a proof', cnf, { cnf: { _sd: ['jkt'] } }, { cnf: { jkt: true } }, [subject, bound], proof],
    ['an object in the middle', ext, { ext: { _sd: ['deep'] } }, { ext: { deep: true } }, [session, ...groups]],
    ['the innermost', ext, { ext: { deep: { _sd: ['sid'] } } }, { ext: { deep: { sid: true } } }, [session, ...groups]],
    [
        'each of three',
        ext,
        { _sd: ['ext'], ext: { _sd: ['deep', 'groups'], deep: { _sd: ['sid'] } } },
        { ext: { deep: { sid: true } } },
        [session],
    ],
    ['elements', ext, { ext: { groups: { _sd: [0, 1] } } }, { ext: { groups: { 0: true, 1: true } } }, [session, ...groups]],
    ['one element', ext, { ext: { groups: { _sd: [0, 1] } } }, { ext: { groups: { 1: true } } }, [session, groups[1]]],
    [
        'an array and its elements',
        ext,
        { _sd: ['ext'], ext: { _sd: ['groups'], groups: { _sd: [0, 1] } } },
        { ext: { groups: { 0: true } } },
        [session, groups[0]],
    ],
    ['objects in an array', devices, { devices: { _sd: [0, 1] } }, { devices: { 0: true, 1: true } }, [device('D'), device('E')]],
    ['one object in an array', devices, { devices: { _sd: [0, 1] } }, { devices: { 1: true } }, [device('E')]],
    ['a member in an array', devices, { devices: { 0: { _sd: ['id'] } } }, { devices: { 0: { id: true } } }, [device('D'), device('E')]],
    [
        'an array, its objects and their members',
        devices,
        { _sd: ['devices'], devices: { _sd: [0, 1], 0: { _sd: ['id'] }, 1: { _sd: ['id'] } } },
        { devices: { 0: { id: true }, 1: true } },
        [device('D')],
    ],
];

const made = [];
for (const [form, claims, frame, shown, keys, options] of cases) {
    const issued = await sdjwt.issue({ iss: 'https://issuer.example', iat: 1795000000, ...claims }, frame);
    const token = await sdjwt.present(issued, shown, options);
    made.push({ form, claims: await sdjwt.getClaims(token), keys, token });
}
writeFileSync('index.json', `${JSON.stringify({ made_by: '@sd-jwt/core 0.19.0', cases: made }, null, 2)}\n`);
