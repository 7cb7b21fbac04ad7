-- When the answer to a used refresh token was kept. A token that was used but never answered (the process died in between)
-- has no successor in anybody's hands, so its second use is no replay.
alter table oauth_artifacts add column answered_at timestamptz;
update oauth_artifacts set answered_at = consumed_at where model = 'RefreshToken';
