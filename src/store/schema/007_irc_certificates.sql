-- IRC: which certificate it is, for who asks (CLIENTCERT LIST). Empty until one that was there before is seen.
ALTER TABLE irc_passwords ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
