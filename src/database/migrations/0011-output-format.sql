-- The form of JSON that a reply was asked for; what it says is read as a value whenever it is shown.
ALTER TABLE messages ADD COLUMN output_format text;
