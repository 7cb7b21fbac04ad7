-- What was withdrawn is told again once a day, as what is shown is. A tenant's own row is never told by itself.
create index listings_withdrawn on listings (told_at) where kid is null and told_at is not null;
