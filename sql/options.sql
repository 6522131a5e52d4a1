-- set: none
-- name: is_json
-- Is this text JSON? (Asked twice before the answer is no, because without
-- memory json_valid() says no, too.)
SELECT json_valid(?1) OR json_valid(?1);

-- name: options_is_object
-- Is the options argument a JSON object?
SELECT CASE WHEN json_valid(?1) OR json_valid(?1)
            THEN json_type(?1) = 'object' END;

-- name: options_each
-- The options, one a row; the fourth column is the value as JSON, which infinity
-- is not by itself.
SELECT key, value, type,
       CASE WHEN type IN ('object', 'array') THEN value
            WHEN type IN ('true', 'false') THEN type
            WHEN value = 9e999 THEN '9e999'
            WHEN value = -9e999 THEN '-9e999'
            ELSE json_quote(value) END
  FROM json_each(?1);

-- name: json_scalar
-- The value of a JSON text, or the BLOB ?2; is it an array or an object?
SELECT coalesce(?2, json_extract(?1, '$')),
       ?2 IS NULL AND json_type(?1) IN ('array', 'object');
