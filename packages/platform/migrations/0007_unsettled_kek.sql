-- A former key-encryption key that nothing is under any more and that has not been disabled yet where it is kept: whoever
-- is killed between the end of a rotation and that leaves its name here, and the next one does it.
alter table key_encryption add column unsettled text collate "C";
